package topology

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
)

// A Handler processes one record. It is never called concurrently with any other
// code of its task. An error it returns goes to the process policy.
type Handler[K, V any] = func(Record[K, V]) error

// Process is the general verb. open is called once per task: it may open the
// stores named here, schedule timers, and returns the handler of that task's
// records. Several processors may share a store; they then belong to one
// sub-topology. What it emits must not need equal keys to be in one partition:
// use Repartition for that.
func (s Stream[K, V]) Process[K2, V2 any](name string, open func(*Context[K2, V2]) (Handler[K, V], error), stores ...store.Descriptor) Stream[K2, V2] {
	n := node{kind: "process", name: name}
	s.b.checkName("processor", name)
	for _, d := range stores {
		s.b.use(d)
		n.stores = append(n.stores, d.Name())
	}
	id := connect(s.b, n, s.id, func(w wiring, out *task.Port[Record[K2, V2]]) (func(Record[K, V]) error, error) {
		handle, err := open(&Context[K2, V2]{scope{w.t, n}, w, out, 0})
		if err != nil {
			return nil, err
		}
		return func(r Record[K, V]) error {
			w.t.Enter(w.id)
			return handle(r)
		}, nil
	})
	return Stream[K2, V2]{b: s.b, id: id}.movedBy(id)
}

// A Context is what a processor sees of the task it runs in. K and V are the
// types that it emits. It belongs to the task's goroutine.
type Context[K, V any] struct {
	scope
	w      wiring
	out    *task.Port[Record[K, V]]
	timers int
}

// Emit hands r to every reader of the processor's stream.
func (c *Context[K, V]) Emit(r Record[K, V]) error {
	err := c.out.Emit(r)
	if err == nil {
		c.w.t.Enter(c.w.id)
	}
	return err
}

// Clock names what a timer goes by.
type Clock = task.Clock

const (
	// StreamTime is the greatest timestamp the task has seen. It moves only with
	// records, and survives restarts.
	StreamTime = task.StreamTime
	// WallClock is the time of day.
	WallClock = task.WallClock
)

// A Timer is a schedule that can be cancelled.
type Timer = task.Timer

// Every calls fn after every interval of a clock, with the clock's time. A
// stream-time timer fires first at the first record, then whenever stream time
// passes a multiple of the interval. A wall-clock timer fires first after one
// interval; it is checked between records and may be late. Firings that were
// missed are skipped, not made up for (KIP-138). Where a timer stands lasts over
// restarts and moves: one whose time came meanwhile fires at once. Intervals under 1 ms panic.
func (c *Context[K, V]) Every(interval time.Duration, clock Clock, fn func(now time.Time) error) *Timer {
	if interval < time.Millisecond {
		panic(fmt.Sprintf("processor %q: an interval of %v is shorter than 1 ms", c.n.name, interval))
	}
	name := c.n.name + "#" + strconv.Itoa(c.timers)
	c.timers++
	return c.w.t.Schedule(name, clock, interval.Milliseconds(), func(ms int64) error { return fn(stamp(ms)) })
}

// Metadata is where the record in hand came from.
type Metadata struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Metadata returns where the record in hand came from; ok is false in a timer.
func (c *Context[K, V]) Metadata() (m Metadata, ok bool) {
	msg, topic := c.w.t.Current()
	if msg == nil {
		return Metadata{}, false
	}
	return Metadata{topic, c.w.t.Partition(), msg.Offset}, true
}

// StreamTime is the greatest timestamp that the task has seen; ok is false before
// the first record.
func (c *Context[K, V]) StreamTime() (now time.Time, ok bool) {
	ms := c.w.t.StreamTime()
	return stamp(ms), ms >= 0
}

// WallClock is the time of day, as the task was last told.
func (c *Context[K, V]) WallClock() time.Time { return stamp(c.w.t.WallClock()) }

// TaskID names the task: sub-topology, underscore, partition.
func (c *Context[K, V]) TaskID() string { return c.w.t.ID() }

// Commit asks for a commit as soon as the record in hand is done.
func (c *Context[K, V]) Commit() { c.w.t.RequestCommit() }

// scope is what an operator sees of its task. It is a store.Scope.
type scope struct {
	t *task.Task
	n node
}

// OpenStore returns the bytes of one of the stores that the node has named. It
// serves store.KV.Open.
func (s scope) OpenStore(name string) *state.Store {
	if !slices.Contains(s.n.stores, name) {
		panic(fmt.Sprintf("processor %q does not name store %q: add it to the stores of its Process", s.n.name, name))
	}
	return s.t.Store(name)
}

// Changelog is the topic that a store is restored from.
func (s scope) Changelog(name string) string {
	for _, st := range s.t.Stores() {
		if st.Name == name {
			return st.Restored(s.t.App())
		}
	}
	return task.Changelog(s.t.App(), name)
}

// Late counts a write that came too late to be kept.
func (s scope) Late() { s.t.Drop(task.DropLate) }

// Now is the timestamp, in ms, of the record in hand or of the timer's firing.
func (s scope) Now() int64 { return s.t.Now() }
