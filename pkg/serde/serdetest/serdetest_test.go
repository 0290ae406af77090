package serdetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// TestFindsFaults shows that each check fails for a serde that breaks its
// promise, and only then.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	good := faulty{
		append: func(dst []byte, v string) ([]byte, error) { return append(append(dst, '.'), v...), nil },
		decode: func(src []byte) (string, error) {
			if len(src) == 0 {
				return "", errors.New("empty")
			}
			return string(src[1:]), nil
		},
	}
	calls := byte(0)
	for _, c := range []struct {
		name string
		edit func(f *faulty)
		want []string
	}{
		{"good", func(f *faulty) {}, nil},
		{"loses", func(f *faulty) { f.decode = func([]byte) (string, error) { return "x", nil } },
			[]string{"survives a round trip", "does not keep or change src", "can be used concurrently"}},
		{"nil", func(f *faulty) {
			f.append = func(dst []byte, _ string) ([]byte, error) { return dst, nil }
			f.decode = func([]byte) (string, error) { return "abc", nil }
		}, []string{"is never nil"}},
		{"random", func(f *faulty) {
			f.append = func(dst []byte, v string) ([]byte, error) { calls++; return append(append(dst, calls), v...), nil }
		}, []string{"is deterministic", "appends", "can be used concurrently"}},
		{"replaces", func(f *faulty) { f.append = func(_ []byte, v string) ([]byte, error) { return []byte("." + v), nil } },
			[]string{"appends"}},
		{"overwrites", func(f *faulty) {
			f.append = func(dst []byte, v string) ([]byte, error) {
				if len(dst) > 0 {
					dst[0] = '!'
				}
				return append(append(slices.Clip(dst), '.'), v...), nil
			}
		}, []string{"appends"}},
		{"keeps src", func(f *faulty) {
			f.decode = func(src []byte) (string, error) { return unsafe.String(&src[1], len(src)-1), nil }
		}, []string{"does not keep or change src", "does not panic on truncated input"}},
		{"changes src", func(f *faulty) {
			f.decode = func(src []byte) (string, error) { v := string(src[1:]); src[0] = 0; return v, nil }
		}, []string{"does not keep or change src", "does not panic on truncated input"}},
		{"panics", func(f *faulty) { f.append = func([]byte, string) ([]byte, error) { panic("no") } },
			everything},
	} {
		f := good
		c.edit(&f)
		var broken []string
		sub := &subject[string]{serde: f, equal: equal[string]}
		for _, check := range sub.checks() {
			if c.name == "random" && check.promise == "can be used concurrently" {
				broken = append(broken, check.promise) // it would race, by intent
			} else if check.holds("abc") != nil {
				broken = append(broken, check.promise)
			}
		}
		if !slices.Equal(broken, c.want) {
			t.Errorf("%s: broken %q, want %q", c.name, broken, c.want)
		}
	}
}

var everything = []string{
	"survives a round trip", "is never nil", "is deterministic", "appends", "does not keep or change src",
	"does not panic on truncated input", "can be used concurrently",
}

type faulty struct {
	append func(dst []byte, v string) ([]byte, error)
	decode func(src []byte) (string, error)
}

func (f faulty) Append(dst []byte, v string) ([]byte, error) { return f.append(dst, v) }
func (f faulty) Decode(src []byte) (string, error)           { return f.decode(src) }

// TestFindsWhatCannotTell shows that a serde which is a Checker has to take what it
// writes, and to go by its forms.
func TestFindsWhatCannotTell(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	good := telling{
		check: func(src []byte) error {
			if len(src) == 0 || src[0] != '.' {
				return no
			}
			return nil
		},
		form: func(dst, src []byte) []byte { return append(dst, src[:min(1, len(src))]...) },
	}
	for name, edit := range map[string]func(f *telling){
		"":               func(*telling) {},
		"refuses":        func(f *telling) { f.check = func([]byte) error { return no } },
		"panics":         func(f *telling) { f.check = func([]byte) error { panic("no") } },
		"takes too much": func(f *telling) { f.form = func(dst, src []byte) []byte { return append(dst, src[:1]...) } },
		"takes nothing":  func(f *telling) { f.form = func(dst, _ []byte) []byte { return dst } },
		"takes anything": func(f *telling) { f.form = func(dst, _ []byte) []byte { return append(dst, '.') } },
		"replaces":       func(f *telling) { f.form = func(_, src []byte) []byte { return src } },
		"changes src":    func(f *telling) { f.form = func(dst, src []byte) []byte { clear(src); return append(dst, '.') } },
	} {
		f := good
		f.append = func(dst []byte, v string) ([]byte, error) { return append(append(dst, '.'), v...), nil }
		edit(&f)
		if err := (&subject[string]{serde: f}).tells("x"); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// telling is a serde that says what it can read.
type telling struct {
	faulty
	check func([]byte) error
	form  func(dst, src []byte) []byte
}

func (f telling) Check(src []byte) error            { return f.check(src) }
func (f telling) AppendForm(dst, src []byte) []byte { return f.form(dst, src) }

func TestFindsWhatIsNotNull(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(dst []byte, v string) ([]byte, error){
		"value":   func(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil },
		"dst":     func(dst []byte, _ string) ([]byte, error) { return dst, nil },
		"error":   func([]byte, string) ([]byte, error) { return nil, errors.New("no") },
		"changes": func(dst []byte, _ string) ([]byte, error) { clear(dst); return nil, nil },
		"panics":  func([]byte, string) ([]byte, error) { panic("no") },
	} {
		if err := (&subject[string]{serde: faulty{append: f}}).null("x"); err == nil {
			t.Errorf("%s passes for null", name)
		}
	}
}

// TestEqualMethod shows that a type's own Equal decides: the two times differ
// in their location only.
func TestEqualMethod(t *testing.T) {
	t.Parallel()
	Run(t, timeSerde{}, time.Unix(0, 0), time.Date(2026, 11, 21, 9, 0, 0, 0, time.FixedZone("", 3600)))
	if equal(&early{1}, &early{2}) || !equal[*early](nil, nil) {
		t.Error("equal")
	}
}

type early struct{ n int }

func (e *early) Equal(o *early) bool { return e.n == o.n }

// timeSerde writes milliseconds.
type timeSerde struct{}

func (timeSerde) Append(dst []byte, v time.Time) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v.UnixMilli())), nil
}

func (timeSerde) Decode(src []byte) (time.Time, error) {
	if len(src) != 8 {
		return time.Time{}, fmt.Errorf("want 8 bytes, got %d", len(src))
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(src))).UTC(), nil
}

func TestRunFunc(t *testing.T) {
	t.Parallel()
	nearly := func(a, b float64) bool { return a-b < 1e-3 && b-a < 1e-3 }
	RunFunc(t, rounded{}, nearly, 0, 1.23456)
}

// rounded keeps three digits.
type rounded struct{}

func (rounded) Append(dst []byte, v float64) ([]byte, error) { return fmt.Appendf(dst, "%.3f", v), nil }

func (rounded) Decode(src []byte) (v float64, err error) {
	_, err = fmt.Sscan(string(src), &v)
	return v, err
}
