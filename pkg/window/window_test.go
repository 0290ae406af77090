package window

import (
	"math"
	"slices"
	"testing"
	"time"
)

// starts are the windows of w that hold t.
func starts(w Time, t int64) (all []int64) {
	for s, ok := w.First(t); ok; s, ok = w.Next(s, t) {
		all = append(all, s)
	}
	return all
}

// FuzzTime compares the arithmetic with trying every window there is.
func FuzzTime(f *testing.F) {
	f.Add(uint16(1000), uint16(300), uint16(2345))
	f.Add(uint16(1), uint16(1), uint16(0))
	f.Fuzz(func(t *testing.T, size, advance, at uint16) {
		w := Hopping(time.Duration(size)*time.Millisecond, time.Duration(advance)*time.Millisecond)
		if w.Validate() != nil {
			return
		}
		var want []int64
		for s := int64(0); s <= int64(at); s += int64(advance) {
			if s+int64(size) > int64(at) {
				want = append(want, s)
			}
		}
		if got := starts(w, int64(at)); !slices.Equal(got, want) {
			t.Errorf("windows of %d every %d that hold %d: %v, want %v", size, advance, at, got, want)
		}
	})
}

func TestUnlimited(t *testing.T) {
	t.Parallel()
	w := Unlimited(time.UnixMilli(50))
	if got := starts(w, 49); got != nil {
		t.Errorf("before the start: %v", got)
	}
	if got := starts(w, 1000); !slices.Equal(got, []int64{50}) {
		t.Errorf("after the start: %v", got)
	}
	if got := w.At(50).End; got != math.MaxInt64 {
		t.Errorf("ends at %d", got)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"size 0":           Tumbling(0).Validate(),
		"under a ms":       Tumbling(time.Microsecond).Validate(),
		"advance 0":        Hopping(time.Second, 0).Validate(),
		"gaps":             Hopping(time.Second, 2*time.Second).Validate(),
		"grace":            Tumbling(time.Second).Grace(-time.Second).Validate(),
		"unlimited grace":  Unlimited(time.UnixMilli(0)).Grace(time.Second).Validate(),
		"sliding":          SlidingBy(-time.Second).Validate(),
		"session":          Sessions(-time.Second).Validate(),
		"session's grace":  Sessions(time.Second).Grace(-1 * time.Second).Validate(),
		"before the epoch": Unlimited(time.UnixMilli(-1)).Validate(),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, err := range map[string]error{
		"tumbling":    Tumbling(time.Second).Validate(),
		"hopping":     Hopping(time.Second, time.Millisecond).Grace(time.Hour).Validate(),
		"unlimited":   Unlimited(time.UnixMilli(0)).Validate(),
		"one instant": SlidingBy(0).Validate(),
		"session":     Sessions(time.Minute).Validate(),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The last times there are have windows like others, that end with time itself.
func TestLastTimes(t *testing.T) {
	t.Parallel()
	const last = math.MaxInt64
	for name, c := range map[string]struct {
		w    Time
		at   int64
		want []int64
	}{
		"tumbling":               {Tumbling(10 * time.Millisecond), last, []int64{last / 10 * 10}},
		"tumbling, a bit before": {Tumbling(10 * time.Millisecond), last - 8, []int64{last/10*10 - 10}},
		"hopping":                {Hopping(10*time.Millisecond, 4*time.Millisecond), last, []int64{last - 7, last - 3}},
		"of one ms":              {Tumbling(time.Millisecond), last, []int64{last}},
		"unlimited":              {Unlimited(time.UnixMilli(5)), last, []int64{5}},
		"nowhere":                {Tumbling(10 * time.Millisecond), math.MinInt64, nil},
	} {
		var got []int64
		for s, ok := c.w.First(c.at); ok && len(got) < 5; s, ok = c.w.Next(s, c.at) {
			got = append(got, s)
			if span := c.w.At(s); span.Start != s || span.End < c.at || span.End != last && span.End-s != c.w.Size() {
				t.Errorf("%s: the window at %d is %v", name, s, span)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %d is in the windows that begin at %v, want %v", name, c.at, got, c.want)
		}
	}
}
