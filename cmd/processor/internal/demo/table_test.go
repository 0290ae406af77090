package demo

import (
	"os"
	"strings"
	"testing"

	"github.com/leatstream/leat/cmd/processor/internal/terminal"
	"time"
)

func TestWriteTable(t *testing.T) {
	t.Parallel()
	c := &tally{counts: map[string]int64{}}
	for i, word := range []string{"b", "a", "\u00e9", "z", "z", "Z"} {
		c.set(word, c.counts[word]+1)
		if c.sum != int64(i+1) {
			t.Errorf("the sum is %d after %d words", c.sum, i+1)
		}
	}
	var b strings.Builder
	if err := WriteTable(&b, c.entries()); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "z\t2\nZ\t1\na\t1\nb\t1\n\u00e9\t1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	f := &feed{}
	f.lines.Store(3)
	f.words.Store(10)
	for name, c := range map[string]struct {
		terminal, done bool
		want           string
	}{
		"plain":    {want: "3 lines read..., 5 of 10 words counted, 5 words/s\n"},
		"done":     {done: true, want: "3 lines read, 5 of 10 words counted, 5 words/s\n"},
		"terminal": {terminal: true, want: "\r\x1b[K3 lines read..., 5 of 10 words counted, 5 words/s\r\x1b[K"},
	} {
		f.done.Store(c.done)
		var b strings.Builder
		p := newProgress(&b)
		p.terminal, p.start = c.terminal, time.Now().Add(-time.Second)
		p.last = p.start.Add(-time.Hour)
		p.show(f, 5)
		p.show(f, 6) // too soon
		if p.clear(); b.String() != c.want {
			t.Errorf("%s: got %q, want %q", name, b.String(), c.want)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if !terminal.Is(null) || terminal.Is(&strings.Builder{}) {
		t.Error("a character device is taken for none, or something else for one")
	}
}
