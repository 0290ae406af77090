package task

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
)

// The tests of this file guard the rules of exactly-once; testdata/mutants at the
// root of the module breaks them.

// A step is what user code does with a record whose value is its name.
var steps = map[string]func(x *fixture, m *Message) error{
	"put":      func(x *fixture, m *Message) error { x.store.Put(m.Key, m.Value, m.Time); return nil },
	"delete":   func(x *fixture, m *Message) error { x.store.Delete([]byte("kept"), m.Time); return nil },
	"send":     func(x *fixture, m *Message) error { return x.t.Send(Output{Topic: "out", Key: m.Key, Time: m.Time}) },
	"time":     func(x *fixture, _ *Message) error { x.time.Advance(1e6); return nil },
	"drop":     func(x *fixture, _ *Message) error { x.t.Drop(DropLate); return nil },
	"schedule": func(x *fixture, _ *Message) error { x.schedule("late", WallClock); return nil },
	"cancel":   func(x *fixture, _ *Message) error { x.wall.Cancel(); return nil },
	"move":     func(x *fixture, _ *Message) error { x.wall.next += 1e6; return nil },
	"nothing":  func(*fixture, *Message) error { return nil },
}

var errUser = errors.New("user code failed")

// A fixture is a task of one node, which has a store, a timer of each clock and a
// time of its own.
type fixture struct {
	tb    testing.TB
	t     *Task
	store *state.Store
	time  *NodeTime
	wall  *Timer
	own   func(m *Message) error // a step of this test alone, "own"
	out   []string
	at    int64
}

func newFixture(tb testing.TB, env Env) *fixture {
	tb.Helper()
	x := &fixture{tb: tb}
	env.App = "app"
	sub := &Sub{
		Sources: []Source{{Topic: Topic{Name: "in"}}},
		Stores:  []Store{{Name: "s", Logged: true}},
		Nodes:   []Node{{Name: "n", Open: x.open}},
	}
	var err error
	x.t, err = New(sub, 0, env, func(s Store) (*state.Store, error) {
		ns, eng := engine.Namespace{Store: s.Name}, memory.New()
		st, err := state.Open(failing{eng}, ns, s.Layout)
		if err != nil {
			return nil, err
		}
		var b engine.Batch
		b.Set(ns, []byte("any"), nil)
		return st, eng.Write(&b)
	})
	if err != nil {
		tb.Fatal(err)
	}
	x.store.Put([]byte("kept"), []byte("0"), 0)
	x.t.Commit()
	return x
}

func (x *fixture) open(t *Task) error {
	x.t, x.store, x.time = t, t.Store("s"), t.NodeTime("time")
	x.schedule("stream", StreamTime)
	x.wall = x.schedule("wall", WallClock)
	t.Feed(0, func(m *Message) error {
		step, fails := strings.CutPrefix(string(m.Value), "!")
		if step == "own" {
			return x.own(m)
		}
		err := steps[step](x, m)
		if fails && err == nil {
			return errUser
		}
		return err
	})
	return nil
}

func (x *fixture) schedule(name string, c Clock) *Timer {
	return x.t.Schedule(name, c, 100, func(now int64) error {
		return x.t.Send(Output{Topic: "timer", Key: []byte(name), Time: now})
	})
}

// put processes a record and collects what is written.
func (x *fixture) put(value string, time int64) error {
	x.t.Enqueue(0, []Message{{Key: []byte(value), Value: []byte(value), Time: time, Offset: x.at}}, x.at+1, x.at+1)
	x.at++
	_, err := x.t.Process()
	x.take()
	return err
}

func (x *fixture) take() {
	for _, o := range x.t.TakeOutput() {
		x.out = append(x.out, fmt.Sprintf("%s:%s@%d", o.Topic, o.Key, o.Time))
	}
}

// seen is all that can be seen of the task, but for its offset.
func (x *fixture) seen() string {
	x.tb.Helper()
	if err := x.t.AdvanceWallClock(500); err != nil {
		x.tb.Error(err)
	}
	if err := x.t.Flush(nil); err != nil {
		x.tb.Error(err)
	}
	x.take()
	points := x.t.Points()
	next, ok := x.t.NextWallClock()
	x.t.Commit()
	return fmt.Sprintln(x.out, points[0].Metadata, next, ok, x.t.StreamTime())
}

// A record that user code fails on, after it has done what it wanted, leaves
// nothing but its offset: as if it had never been there.
func TestUndoIsWhole(t *testing.T) {
	t.Parallel()
	for step := range steps {
		t.Run(step, func(t *testing.T) {
			with, without := newFixture(t, Env{Policies: Policies{Process: Skip}}), newFixture(t, Env{})
			for _, x := range []*fixture{with, without} {
				if err := x.put("put", 250); err != nil {
					t.Fatal(err)
				}
			}
			if err := with.put("!"+step, 9999); err != nil {
				t.Fatal(err)
			}
			if got, want := with.seen(), without.seen(); got != want {
				t.Errorf("with the record    %swithout the record %s", got, want)
			}
			if got := with.t.Points()[0].Offset; got != 2 {
				t.Errorf("at offset %d", got)
			}
			if drops := with.t.TakeDrops(); drops != (Drops{DropProcess: 1}) {
				t.Errorf("counted %v", drops)
			}
		})
	}
}

// A dead letter is all that is left of its record.
func TestDeadLetter(t *testing.T) {
	t.Parallel()
	x := newFixture(t, Env{Policies: Policies{Process: DeadLetter, DeadLetterTopic: "dead"}})
	for _, value := range []string{"put", "!send", "send"} {
		if err := x.put(value, 50); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"timer:stream@50", "dead:!send@50", "out:send@50"}
	if !slices.Equal(x.out, want) {
		t.Errorf("wrote %q, not %q", x.out, want)
	}
}

// A record that would be too large fails before it is produced, so that it can be
// passed over, and its transaction goes on.
func TestTooLargeIsOneRecordsFault(t *testing.T) {
	t.Parallel()
	x := newFixture(t, Env{MaxRecord: 100, Policies: Policies{Process: Skip}})
	x.own = func(*Message) error { return x.t.Send(Output{Topic: "out", Value: make([]byte, 1000)}) }
	if err := cmp.Or(x.put("own", 1), x.put("send", 2)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"out:send@2", "timer:stream@2"}; !slices.Equal(x.out, want) {
		t.Errorf("wrote %q, not %q", x.out, want)
	}
}

// No policy passes over what would leave state and changelog apart.
func TestStateIsNeverSkipped(t *testing.T) {
	t.Parallel()
	all := Policies{Decode: Skip, Process: Skip}
	x := newFixture(t, Env{MaxRecord: 100, Policies: all})
	x.store.Put(make([]byte, 1000), nil, 1)
	if err := x.t.Flush(nil); !errors.Is(err, ErrUnskippable) || !errors.Is(err, ErrTooLarge) {
		t.Errorf("a change that is too large for its changelog: %v", err)
	}
	x = newFixture(t, Env{Policies: all})
	x.own = func(*Message) error { _, _, _, err := x.store.Get([]byte("any")); return err }
	if err := x.put("own", 1); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("a read that fails: %v", err)
	}
}

// What is committed is what was processed, not what was fetched, and with it go the
// times that a successor needs.
func TestPoints(t *testing.T) {
	t.Parallel()
	x := newFixture(t, Env{})
	ms := []Message{{Value: []byte("time"), Time: 250, Offset: 7}, {Value: []byte("put"), Time: 900, Offset: 8}}
	x.t.Enqueue(0, ms, 10, 10)
	if _, err := x.t.Process(); err != nil {
		t.Fatal(err)
	}
	p := x.t.Points()[0]
	meta, err := offsetmeta.Decode(p.Metadata)
	if err != nil || p.Offset != 8 || meta.PartitionTime != 250 {
		t.Errorf("committed %d, %+v, %v", p.Offset, meta, err)
	}
	next := newFixture(t, Env{})
	if err := next.t.Resume("in", p.Offset, meta); err != nil {
		t.Fatal(err)
	}
	if got := next.t.Points()[0]; got.Offset != p.Offset || got.Metadata != p.Metadata || next.t.StreamTime() != 250 {
		t.Errorf("the successor is at %+v and %d, not at %+v", got, next.t.StreamTime(), p)
	}
}

// Rollback puts the committed state back.
func TestRollback(t *testing.T) {
	t.Parallel()
	x := newFixture(t, Env{})
	if err := cmp.Or(x.put("put", 1), x.put("delete", 2)); err != nil {
		t.Fatal(err)
	}
	x.t.Rollback()
	for key, want := range map[string]bool{"put": false, "kept": true} {
		if v, _, ok, err := x.store.Get([]byte(key)); ok != want && err == nil {
			t.Errorf("%s is %q, %v", key, v, ok)
		}
	}
	if x.t.Touched() || len(x.t.TakeOutput()) > 0 {
		t.Error("something is left to commit")
	}
}

// Nothing and something of no bytes are not the same.
func TestArenaKeepsNull(t *testing.T) {
	t.Parallel()
	var a Arena
	if got := a.Copy(nil); got != nil {
		t.Errorf("null became %#v", got)
	}
	if got := a.Copy([]byte{}); got == nil || len(got) > 0 {
		t.Errorf("nothing became %#v", got)
	}
}

// A failing engine cannot read the key "any".
type failing struct{ engine.Engine }

func (e failing) Get(ns engine.Namespace, key, dst []byte) ([]byte, bool, error) {
	if string(key) == "any" {
		return nil, false, engine.ErrCorrupt
	}
	return e.Engine.Get(ns, key, dst)
}
