package pulse

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/task"
)

// Code stalls when it neither returns nor begins with another record for so long, is told
// of once, and so is its end.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pulse
		p.Begin()
		w := p.Watch()
		look := func(after time.Duration, stalls, changes bool) {
			t.Helper()
			for left := after; left > 0; left -= time.Second { // often enough
				time.Sleep(time.Second)
				s, news := w.Look(10 * time.Second)
				if last := left == time.Second; (s != nil) != (last && stalls || !last && !changes && stalls) || news != (last && changes) {
					t.Fatalf("%v before the end: %v, news: %t", left, s, news)
				}
			}
		}
		look(30*time.Second, false, false) // it is in no code
		where := Where(func() task.Error { return task.Error{Task: "0_1", Node: "n"} })
		p.Enter(&where)
		look(11*time.Second, true, true) // the first look has found it anew
		if s, _ := w.Look(10 * time.Second); s.String() != `task 0_1, node "n"` || !bytes.Contains(s.Stack, []byte("TestWatch")) {
			t.Errorf("stalled at %v: %s", s, s.Stack)
		}
		if place, ok := p.Code(); !ok || place != `task 0_1, node "n"` {
			t.Errorf("in code: %q, %t", place, ok)
		}
		look(30*time.Second, true, false)
		p.Answer()
		look(time.Second, false, true)
		look(10*time.Second, true, true)
		p.Leave()
		look(time.Second, false, true)
		if _, ok := p.Code(); ok {
			t.Error("it has left the code")
		}
	})
}

// A goroutine that says when it works stalls outside of code, too, and not while it waits
// inside.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := false
		p := Pulse{Busy: func() bool { return busy }}
		w := p.Watch()
		where := Where(func() task.Error { return task.Error{Task: "0_1"} })
		for _, c := range []struct{ busy, code, stalls bool }{{false, true, false}, {true, true, true}, {true, false, true}, {false, false, false}} {
			busy = c.busy
			if c.code {
				p.Enter(&where)
			} else {
				p.Leave()
			}
			w.Look(10 * time.Second)
			time.Sleep(10 * time.Second)
			s, _ := w.Look(10 * time.Second)
			if (s != nil) != c.stalls || s != nil && (s.Where.Task != "") != c.code {
				t.Errorf("%+v: %v", c, s)
			}
		}
	})
}
