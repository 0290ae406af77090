package worker

import (
	"errors"
	"testing"

	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
)

// A run has from the one before what brokers refused, each record with its own error, and
// nothing of what is committed.
func TestInherit(t *testing.T) {
	_, runs := alone(t, memory.New(), 2)
	old, next := runs[0], runs[1]
	done, first, second := &task.ProduceError{Topic: "done"}, &task.ProduceError{Topic: "first"}, &task.ProduceError{Topic: "second"}
	old.refused = map[culprit]*task.ProduceError{{0, 4}: done, {0, 5}: first, {0, 6}: second}
	next.Feeds[0].From = 5
	if next.Inherit(old); len(next.refused) != 2 || next.refused[culprit{0, 4}] != nil {
		t.Errorf("it keeps %v", next.refused)
	}
	unit := unitOf(2)
	unit[0].Offset, unit[1].Offset = 5, 6
	next.Task.Enqueue(0, unit, 7, 7)
	if _, err := next.Task.Process(); !errors.Is(err, first) {
		t.Errorf("the record at 5: %v", err)
	}
}

// A task that is to do one record in each transaction, but waits for its other input, keeps
// nobody waiting.
func TestCarefulTaskThatWaits(t *testing.T) {
	w, runs := alone(t, memory.New(), 1)
	sub := &task.Sub{
		Sources: []task.Source{{Topic: task.Topic{Name: in}}, {Topic: task.Topic{Name: "other"}}},
		Nodes: []task.Node{{Name: "join", Open: func(t *task.Task) error {
			t.Feed(0, func(*task.Message) error { return nil })
			t.Feed(1, func(*task.Message) error { return nil })
			return nil
		}}},
	}
	tsk, err := task.New(sub, 0, task.Env{App: "app"}, func(task.Store) (*state.Store, error) { return nil, errors.New("no store") })
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{in, "other"} {
		if err := tsk.Resume(topic, 0, offsetmeta.Metadata{PartitionTime: offsetmeta.Unknown}); err != nil {
			t.Fatal(err)
		}
	}
	careful := &Run{Task: tsk, Claim: member.Claim{Incarnation: 1}, Feeds: []*fetch.Feed{{Topic: in}, {Topic: "other"}}}
	w.add(careful)
	tsk.Enqueue(1, nil, 0, 10) // it has not been fetched yet
	w.give(careful, unitOf(3), 0)
	careful.careful = []task.Point{{Topic: in, Offset: 3}, {Topic: "other", Offset: 0}}
	w.give(runs[0], unitOf(3), 0)
	if err := w.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := w.Processed(); n != 3 {
		t.Errorf("%d records were processed beside a task that waits; there were 3", n)
	}
	other := []task.Message{{Key: []byte("a"), Offset: 0}}
	tsk.Enqueue(1, other, 10, 10)
	if err := w.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.active = append(w.active, careful)
	w.give(runs[0], unitOf(3), 3)
	if err := w.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := w.Processed(); n != 4 {
		t.Errorf("%d records were processed; with the 3 before it should be one of the task that waited", n)
	}
}
