package words

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"
)

func TestAll(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                {},
		" \t--\r":                         {},
		"The quick, the DEAD.":            {"the", "quick", "the", "dead"},
		"don't 'tis o'clock'":             {"don't", "'tis", "o'clock'"},
		"x2 3,000":                        {"x2", "3", "000"},
		"\u00c4rger\u00a0\u00d6konomie":   {"\u00e4rger", "\u00f6konomie"},
		"a\xffb\xc3":                      {"a", "b"},
		"a\ufffdb":                        {"a", "b"},
		"\u0391\u03b8\u03ae\u03bd\u03b1":  {"\u03b1\u03b8\u03ae\u03bd\u03b1"},
		"\u0663\u0664 \u216b":             {"\u0663\u0664"}, // digits, but a Roman numeral is no letter
		"\u65e5\u672c\u8a9e\u3002\u672c":  {"\u65e5\u672c\u8a9e", "\u672c"},
		"e\u0301":                         {"e"}, // a combining mark is no letter
		"\xed\xa0\x80x":                   {"x"}, // a surrogate is not UTF-8
		"under_score hy-phen 1e9 \x00nul": {"under", "score", "hy", "phen", "1e9", "nul"},
	} {
		if got := slices.Collect(All(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if n := Count(text); n != int64(len(want)) {
			t.Errorf("%q: counted %d", text, n)
		}
	}
}

// plainWords is All, done the obvious way.
func plainWords(text string) (words []string) {
	word := ""
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		valid := r != utf8.RuneError || n > 1
		if valid && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == 0x27) {
			word += string(r)
		} else if word != "" {
			words = append(words, strings.ToLower(word))
			word = ""
		}
		text = text[n:]
	}
	if word != "" {
		words = append(words, strings.ToLower(word))
	}
	return words
}

func FuzzAll(f *testing.F) {
	for _, seed := range []string{"", "The quick", "a\xffb\xe2\x82", "don't \u0130\u023a", "\xf0\x9f\x98\x80x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := slices.Collect(All(text)), plainWords(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	})
}

func TestLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                       {},
		"\n":                     {""},
		"\n\n":                   {"", ""},
		"one":                    {"one"},
		"one\n":                  {"one"},
		"one\r\ntwo\r\n":         {"one", "two"},
		"\r\n\r":                 {"", "\r"},
		"12345678":               {"12345678"},
		"1234 678 0":             {"1234 678", " 0"},
		"1234567 9":              {"1234567 ", "9"},
		"12345678 0\nx":          {"12345678", " 0", "x"},
		"123456 \u65e5 x":        {"123456 ", "\u65e5 x"}, // a cut inside the character would be at 8
		"1 \u65e5\u672c5":        {"1 ", "\u65e5\u672c5"},
		"--------------------":   {"--------", "--------", "----"},
		"1234567\xff\xff\xff1\n": {"1234567\xff", "\xff\xff1"},
	} {
		if got, err := collect(strings.NewReader(text), 8); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

func collect(r io.Reader, limit int) (pieces []string, err error) {
	l := NewLines(r, limit)
	for {
		piece, err := l.Next()
		if errors.Is(err, io.EOF) {
			return pieces, nil
		}
		if err != nil {
			return pieces, err
		}
		pieces = append(pieces, string(piece))
	}
}

func TestLongWord(t *testing.T) {
	t.Parallel()
	pieces, err := collect(strings.NewReader("ok\nso far 123456789 more\n"), 8)
	var long *LongWordError
	if !errors.As(err, &long) || long.Line != 2 || long.Limit != 8 || long.Start != "12345678" {
		t.Errorf("error %v", err)
	}
	if want := []string{"ok", "so far "}; !slices.Equal(pieces, want) {
		t.Errorf("pieces %q, want %q", pieces, want)
	}
}

func TestReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("one\ntwo"), iotest.ErrReader(broken))
	pieces, err := collect(r, 8)
	if !errors.Is(err, broken) || !slices.Equal(pieces, []string{"one"}) {
		t.Errorf("%q, %v", pieces, err)
	}
}

// FuzzLines cuts text into small pieces. Their words must be those of the text;
// only a word that no piece can hold may make it fail.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"", "The quick brown\nfox\r\n", "a\xffb\xe2\x82 \xf0\x9f\x98\x80\u65e5\u672c", "12345678901234567890"} {
		f.Add(seed, 7)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = utf8.UTFMax + max(limit, -limit-1)%64
		pieces, err := collect(iotest.OneByteReader(strings.NewReader(text)), limit)
		long := longest(text) > limit
		if long != (err != nil) {
			t.Fatalf("a word is too long: %v, but the error is %v", long, err)
		}
		if long {
			return
		}
		var got []string
		for _, piece := range pieces {
			if len(piece) > limit {
				t.Fatalf("%q is longer than %d", piece, limit)
			}
			got = append(got, plainWords(piece)...)
		}
		if want := plainWords(text); !slices.Equal(got, want) {
			t.Errorf("%q by %d: %q, want %q", text, limit, got, want)
		}
	})
}

func longest(text string) (n int) {
	for word := range strings.FieldsFuncSeq(text, separates) {
		n = max(n, len(word))
	}
	return n
}

// TestLongLine cuts a line of many times the size of a piece and of the reader's
// buffer, without keeping it.
func TestLongLine(t *testing.T) {
	t.Parallel()
	const words, limit = 200_000, 10_000
	pieces, err := collect(strings.NewReader(strings.Repeat("lorem ", words)), limit)
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, piece := range pieces {
		n += Count(piece)
	}
	if n != words || len(pieces) > 6*words/limit+1 {
		t.Errorf("%d words in %d pieces", n, len(pieces))
	}
}
