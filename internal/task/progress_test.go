package task

import (
	"fmt"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
)

func taskOf(t *testing.T, sub *Sub) *Task {
	t.Helper()
	eng := memory.New()
	tk, err := New(sub, 0, Env{App: "app", MaxTaskIdle: 0}, func(s Store) (*state.Store, error) {
		return state.Open(eng, engine.Namespace{Store: s.Name}, s.Layout)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sub.Sources {
		if err := tk.Resume(s.Topic.Name, 0, offsetmeta.Metadata{PartitionTime: offsetmeta.Unknown}); err != nil {
			t.Fatal(err)
		}
	}
	return tk
}

func source(name string, handle func(t *Task, m *Message) error) *Sub {
	return &Sub{
		Sources: []Source{{Topic: Topic{Name: name}}},
		Nodes: []Node{{Name: name, Kind: "source", Open: func(t *Task) error {
			t.Feed(0, func(m *Message) error { return handle(t, m) })
			return nil
		}}},
	}
}

// An upstream producer that uses transactions ends each with a marker. What was
// fetched: records 0 to 2, and the marker 3. When all records are processed the
// position is 4, as Kafka Streams commits it: at 3 the group shows a lag of 1 for
// ever, and as soon as retention has emptied the partition (log start 4) every open
// of the task fails with "records were deleted before they were processed".
func TestPositionPassesTrailingMarker(t *testing.T) {
	tk := taskOf(t, source("in", func(*Task, *Message) error { return nil }))
	tk.Enqueue(0, []Message{{Offset: 0}, {Offset: 1}, {Offset: 2}}, 4, 4)
	for {
		if did, err := tk.Process(); err != nil {
			t.Fatal(err)
		} else if !did {
			break
		}
	}
	if p := tk.Points()[0]; p.Offset != 4 {
		t.Errorf("after records 0 to 2 and the marker at 3 the task stands at %d, want 4", p.Offset)
	}
}

// The marker may also come alone, in a later fetch, or stand for a whole aborted
// transaction: then the task has moved and nothing is touched, so that it is never
// committed. (Kafka Streams: StreamTask.commitNeeded looks at the position.)
func TestProgressWithoutRecordsIsCommitted(t *testing.T) {
	tk := taskOf(t, source("in", func(*Task, *Message) error { return nil }))
	tk.Enqueue(0, nil, 50, 50) // an aborted transaction of 49 records and its marker
	if p := tk.Points()[0]; p.Offset != 50 {
		t.Fatalf("position %d", p.Offset)
	}
	if !tk.Touched() {
		t.Error("the task went from 0 to 50 and says that there is nothing to commit")
	}
}

// What a processor writes or emits when it is opened is a change like any other. As
// long as the task does not count as touched it is not committed; and when the worker
// then flushes the engine (renew makes every store due), state.Flush panics and takes
// the process down.
func TestWritesAtOpenAreTouched(t *testing.T) {
	sub := source("in", func(*Task, *Message) error { return nil })
	sub.Stores = []Store{{Name: "s", Logged: true}}
	open := sub.Nodes[0].Open
	sub.Nodes[0].Open = func(t *Task) error {
		t.Store("s").Put([]byte("default"), []byte("1"), 0)
		return open(t)
	}
	tk := taskOf(t, sub)
	s := tk.Stores()[0].State
	if s.Dirty() && !tk.Touched() {
		t.Error("the store is dirty and the task is not touched")
	}
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("flushing an untouched task panics: %v", r)
		}
	}()
	if !tk.Touched() {
		s.SetPosition(engine.Position{Offset: 1}) // what Worker.renew does
		if _, any := s.Behind(); any {
			s.Flush(new(engine.Batch)) // what Worker.writeRuns does
		}
	}
}

// A timer that was cancelled must not stay: a processor that schedules a timer per
// record and cancels it would search all of them for every record, and commit all of
// them in the offset metadata until the broker refuses it, which is fatal.
func TestCancelledTimersGo(t *testing.T) {
	n := 0
	tk := taskOf(t, source("in", func(t *Task, m *Message) error {
		n++
		t.Schedule(fmt.Sprint("velocity#", n), StreamTime, 1000, func(int64) error { return nil }).Cancel()
		t.Schedule(fmt.Sprint("once#", n), StreamTime, 1000, nil)
		tm := t.timers[len(t.timers)-1]
		tm.fn = func(int64) error { tm.Cancel(); return nil } // fires once
		return nil
	}))
	for i := range int64(500) {
		tk.Enqueue(0, []Message{{Offset: i, Time: i}}, i+1, i+1)
		if _, err := tk.Process(); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(tk.Points()[0].Metadata); got > offsetmeta.MaxBytes {
		t.Errorf("no timer is left, %d are kept, and the offset metadata has %d bytes: the broker takes %d", len(tk.timers), got, offsetmeta.MaxBytes)
	}
}

// The interval of a stream-time timer was a day and is a second now (or another timer
// was put before it: names are counted). What was committed must not keep the new one
// from firing for a day.
func TestRestoredTimerKeepsItsInterval(t *testing.T) {
	fired := 0
	sub := source("in", func(*Task, *Message) error { return nil })
	open := sub.Nodes[0].Open
	sub.Nodes[0].Open = func(t *Task) error {
		t.Schedule("p#0", StreamTime, 1000, func(int64) error { fired++; return nil })
		return open(t)
	}
	tk := taskOf(t, sub)
	const day = 24 * 3600 * 1000
	if err := tk.Resume("in", 0, offsetmeta.Metadata{PartitionTime: 10_000, Times: map[string]int64{"p#0": day}}); err != nil {
		t.Fatal(err)
	}
	for i := range int64(10) {
		tk.Enqueue(0, []Message{{Offset: i, Time: 20_000 + i*1000}}, i+1, i+1)
		if _, err := tk.Process(); err != nil {
			t.Fatal(err)
		}
	}
	if fired == 0 {
		t.Error("in ten seconds of stream time a timer of one second has not fired")
	}
}
