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
// records. Several processors may share a store, an aggregation's or a table's too; they
// then belong to one sub-topology. One that only reads it names it by store.ForReading.
// What it emits must not need equal keys to be in one partition: use Repartition for
// that, or ProcessValues, which keeps the keys.
func (s Stream[K, V]) Process[K2, V2 any](name string, open func(*Context[K2, V2]) (Handler[K, V], error), stores ...store.Descriptor) Stream[K2, V2] {
	n := s.b.processor(name, stores)
	id := connect(s.b, n, s.id, func(w wiring, out *task.Port[Record[K2, V2]]) (func(Record[K, V]) error, error) {
		handle, err := open(&Context[K2, V2]{processing(w, n), out})
		if err != nil {
			return nil, err
		}
		return func(r Record[K, V]) error {
			w.t.Enter(w.id)
			was := w.t.SetNow(r.Time.UnixMilli())
			err := handle(r)
			w.t.SetNow(was)
			return err
		}, nil
	})
	return Stream[K2, V2]{b: s.b, id: id}.movedBy(id)
}

// processor makes the node of a processor.
func (b *Builder) processor(name string, stores []store.Descriptor) node {
	n := node{kind: "process", name: name}
	b.checkName("processor", name)
	for _, d := range stores {
		n.stores = append(n.stores, d.Name())
		if spec := d.Spec(); spec.ReadOnly {
			n.reads = append(n.reads, spec)
		} else {
			b.use(d)
		}
	}
	return n
}

// Processing is what any processor sees of the task it runs in. It belongs to the
// task's goroutine.
type Processing struct {
	scope
	w      wiring
	timers int
}

func processing(w wiring, n node) Processing { return Processing{scope{w.t, n}, w, 0} }

// A Context is what a processor sees of the task it runs in. K and V are the
// types that it emits. It belongs to the task's goroutine.
type Context[K, V any] struct {
	Processing
	out *task.Port[Record[K, V]]
}

// Emit hands r to every reader of the processor's stream. A record needs a Time, from the
// epoch on: without one it is refused.
func (c *Context[K, V]) Emit(r Record[K, V]) error { return emit(&c.Processing, c.out, r) }

func emit[K, V any](c *Processing, out *task.Port[Record[K, V]], r Record[K, V]) error {
	if r.Time.UnixMilli() < 0 {
		return fmt.Errorf("processor %q emits a record of %v, which is before the epoch: give it the Time of the record in hand, or the timer's", c.n.name, r.Time)
	}
	err := out.Emit(r)
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
func (c *Processing) Every(interval time.Duration, clock Clock, fn func(now time.Time) error) *Timer {
	if interval < time.Millisecond {
		panic(fmt.Sprintf("processor %q: an interval of %v is shorter than 1 ms", c.n.name, interval))
	}
	name := c.n.name + "#" + strconv.Itoa(c.timers)
	c.timers++
	return c.w.t.Schedule(name, clock, interval.Milliseconds(), func(ms int64) error { return fn(stamp(ms)) })
}

// Metadata is where a record came from.
type Metadata struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Metadata returns where the record in hand came from; ok is false in a timer. Of one
// that was held back, by a suppression or a join's grace period, it is where that came
// from, and not the record that let it go.
func (c *Processing) Metadata() (m Metadata, ok bool) {
	o, ok := c.w.t.Origin()
	return Metadata(o), ok
}

// StreamTime is the greatest timestamp that the task has seen; ok is false before
// the first record.
func (c *Processing) StreamTime() (now time.Time, ok bool) {
	ms := c.w.t.StreamTime()
	return stamp(ms), ms >= 0
}

// WallClock is the time of day, as the task was last told.
func (c *Processing) WallClock() time.Time { return stamp(c.w.t.WallClock()) }

// TaskID names the task: sub-topology, underscore, partition.
func (c *Processing) TaskID() string { return c.w.t.ID() }

// Commit asks for a commit as soon as the record in hand is done.
func (c *Processing) Commit() { c.w.t.RequestCommit() }

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
	if slices.ContainsFunc(s.n.reads, func(r store.Spec) bool { return r.Name == name }) {
		panic(fmt.Sprintf("processor %q names store %q for reading: open it by Reader, or name it without store.ForReading", s.n.name, name))
	}
	return s.t.Store(name)
}

// ReadStore is OpenStore for who only reads. It serves store.KV.Reader.
func (s scope) ReadStore(name string) *state.Store {
	if !slices.Contains(s.n.stores, name) {
		panic(fmt.Sprintf("processor %q does not name store %q: add store.ForReading of it to the stores of its Process", s.n.name, name))
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
