package shop

import (
	"reflect"
	"testing"
	"time"
)

func TestSame(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 7, Customers: 10, Start: time.Unix(1000, 0)}
	a, b := New(o), New(o)
	known := map[string]bool{}
	for _, c := range a.Customers() {
		known[c.ID] = true
	}
	guests, last := 0, o.Start
	for range 5000 {
		x, y := a.Next(), b.Next()
		if !reflect.DeepEqual(x, y) {
			t.Fatalf("%v and %v", x, y)
		}
		if !known[x.Customer] {
			guests++
		}
		if len(x.Lines) == 0 || x.Placed.Before(last.Truncate(time.Millisecond)) {
			t.Fatalf("%v after %v", x, last)
		}
		last = x.Placed
	}
	if guests < 50 || guests > 200 {
		t.Errorf("%d guests", guests)
	}
	if d := last.Sub(o.Start); d < 40*time.Second || d > 60*time.Second {
		t.Errorf("5000 orders at 100 a second take %v", d)
	}
}
