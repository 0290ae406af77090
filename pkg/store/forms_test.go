package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
)

// tagged is a serde whose bytes begin with a tag. What has a small one must be decoded to
// know whether it can be: "bad" cannot.
type tagged struct {
	serde.Serde[string]
	decoded *int
}

func (t tagged) Decode(src []byte) (string, error) {
	*t.decoded++
	if strings.HasSuffix(string(src), "bad") {
		return "", errors.New("it is bad")
	}
	return string(src), nil
}

func (tagged) Check(src []byte) error {
	if len(src) == 0 || src[0] == '?' {
		return errors.New("unknown")
	}
	return nil
}

func (tagged) AppendForm(dst, src []byte) []byte { return append(dst, src[:min(1, len(src))]...) }
func (tagged) Doubts(form []byte) bool           { return form[0] >= 'a' }

// as lets another program run.
func as(name string, run func()) {
	was := program
	program = func() []byte { return []byte(name) }
	defer func() { program = was }()
	run()
}

func TestForms(t *testing.T) {
	decoded := new(int)
	values := tagged{serde.String, decoded}
	forms := func() state.Forms {
		return KeyValue("s", serde.String, serde.Serde[string](values)).Spec().Serdes.Forms("c")
	}
	for _, c := range []struct {
		name, value string
		own         bool
		decoded     int
		err         string
		same, other bool // who believes the form: this program, another one
	}{
		{name: "sure", value: "Ax", same: true, other: true},
		{name: "sure, and unknown", value: "?x"},
		{name: "in doubt", value: "ax", decoded: 1, same: true},
		{name: "in doubt, and its own", value: "abad", own: true, same: true},
		{name: "in doubt, and bad", value: "abad", decoded: 1, err: "value: " + serde.ErrUnreadable.Error() + ": it is bad"},
	} {
		as("this", func() {
			*decoded = 0
			f := forms()
			var kept []byte
			for range 2 { // the second time as most are
				kept = nil
				err := f.Each([]byte("k"), []byte(c.value), c.own, func(i int, form []byte) error {
					if i != valuePart {
						t.Errorf("%s: a key that anything is", c.name)
					}
					kept = append(kept, form...)
					return nil
				})
				if (err != nil || c.err != "") && fmt.Sprint(err) != c.err {
					t.Errorf("%s: %v", c.name, err)
				}
			}
			if *decoded != 2*c.decoded {
				t.Errorf("%s: decoded %d times", c.name, *decoded)
			}
			if c.err != "" {
				return
			}
			if got := forms().Check(valuePart, kept) == nil; got != c.same {
				t.Errorf("%s: the same program believes it: %v", c.name, got)
			}
			as("other", func() {
				if got := forms().Check(valuePart, kept) == nil; got != c.other {
					t.Errorf("%s: another program believes it: %v", c.name, got)
				}
			})
		})
	}
}

// What any bytes can be needs no forms.
func TestText(t *testing.T) {
	for name, c := range map[string]struct {
		s    serde.Serde[string]
		some bool
	}{"text": {serde.String, false}, "plain": {tagless{serde.String}, true}} {
		if got := KeyValue("s", c.s, serde.String).Spec().Serdes.Forms("c") != nil; got != c.some {
			t.Errorf("%s: there are forms: %v", name, got)
		}
	}
}

// tagless is a serde that hides what it is.
type tagless struct{ inner serde.Serde[string] }

func (s tagless) Append(dst []byte, v string) ([]byte, error) { return s.inner.Append(dst, v) }
func (s tagless) Decode(src []byte) (string, error)           { return s.inner.Decode(src) }

// learning is a tagged serde that knows of no doubt before Check has asked.
type learning struct {
	tagged
	asked *int
}

func (l learning) Check(src []byte) error {
	*l.asked++
	return l.tagged.Check(src)
}

func (l learning) Doubts(form []byte) bool { return *l.asked > 0 && l.tagged.Doubts(form) }

// Nobody is asked while entries pass by. What is in doubt, as a Check finds out, is decoded
// then: in the same look at an entry, and in the next one.
func TestDoubtsThatCheckFinds(t *testing.T) {
	for _, passed := range []bool{true, false} {
		values := learning{tagged{serde.String, new(int)}, new(int)}
		f := KeyValue("s", serde.String, serde.Serde[string](values)).Spec().Serdes.Forms("c")
		var noted []byte
		note := func(_ int, form []byte) error {
			noted = append([]byte{}, form...)
			return nil
		}
		if passed {
			if err := f.Each([]byte("k"), []byte("ax"), false, note); err != nil || *values.asked > 0 || *values.decoded > 0 {
				t.Errorf("asked %d, decoded %d: %v", *values.asked, *values.decoded, err)
			}
			if err := f.Check(valuePart, noted); !errors.Is(err, errDoubt) {
				t.Errorf("%q: %v", noted, err)
			}
		}
		for want := range 2 {
			if err := f.Each([]byte("k"), []byte("ax"), false, f.Check); err != nil || *values.decoded != want+1 {
				t.Errorf("decoded %d: %v", *values.decoded, err)
			}
		}
		if err := f.Each([]byte("k"), []byte("abad"), false, f.Check); !errors.Is(err, serde.ErrUnreadable) {
			t.Errorf("%v", err)
		}
	}
}
