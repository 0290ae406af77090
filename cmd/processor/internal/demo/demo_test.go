package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leatstream/leat/cmd/processor/internal/words"
)

// count runs a demo over a text and returns its table.
func countText(t *testing.T, in io.Reader) (Result, error) {
	t.Helper()
	return Run(t.Context(), Options{Input: in, Progress: io.Discard, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
}

// model counts the words of a text without any of that.
func model(text string) (counts map[string]int64, sum int64) {
	counts = map[string]int64{}
	for word := range words.All(text) {
		counts[word]++
		sum++
	}
	return counts, sum
}

// TestCounts compares what comes out of the topics with the model, for texts that
// are hard on somebody.
func TestCounts(t *testing.T) {
	t.Parallel()
	grows := strings.Repeat("\u023a", lineLimit/2) // half as long again in lower case
	for name, text := range map[string]string{
		"nothing":           "",
		"only line ends":    "\n\r\n\n",
		"no words":          "--- ...\n",
		"no end of line":    "to be or not\nto be",
		"carriage returns":  "one\r\ntwo two\r\n\r\none",
		"no UTF-8":          "a\xffb\xc3\n\x00c\xed\xa0\x80a\n",
		"random":            randomText(30_000),
		"long line":         strings.Repeat("antidisestablishmentarianism ", 60_000),
		"long words":        strings.Repeat("a", lineLimit) + "\n" + grows + " b\n",
		"long line of \\0":  strings.Repeat("\x00", 2*lineLimit),
		"apostrophes alone": "' '' '\n'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := countText(t, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			want, sum := model(text)
			got := map[string]int64{}
			for _, e := range res.Table {
				got[e.Word] = e.Count
			}
			if !maps.Equal(got, want) || res.Words != sum {
				t.Errorf("counted %d words, %d different; want %d, %d different", res.Words, len(got), sum, len(want))
			}
			if !slices.IsSortedFunc(res.Table, before) {
				t.Error("the table is not in order")
			}
		})
	}
}

func before(a, b Entry) int {
	switch {
	case a.Count > b.Count, a.Count == b.Count && a.Word < b.Word:
		return -1
	}
	return 1
}

// randomText is bytes of which most are letters.
func randomText(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		if b[i] = byte(r.Uint32()); r.IntN(4) > 0 {
			b[i] = "etaoin  \n'"[r.IntN(10)]
		}
	}
	return string(b)
}

func TestWordTooLong(t *testing.T) {
	t.Parallel()
	_, err := countText(t, strings.NewReader("short\n"+strings.Repeat("x", lineLimit+1)))
	var long *words.LongWordError
	if !errors.As(err, &long) || long.Line != 2 || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestBrokenInput(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	broken := errors.New("cable cut")
	go func() {
		_, _ = io.WriteString(w, "one\ntwo\n") // the reader may be gone
		_ = w.CloseWithError(broken)
	}()
	if _, err := countText(t, r); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, "one\n") // it is read, and then no more comes
		cancel()
	}()
	_, err := Run(ctx, Options{Input: r, Progress: io.Discard, Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_ = w.Close()
}
