package topology

import (
	"math"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// A WindowedStream is a stream whose records are to be gathered by key and window.
type WindowedStream[K, V any] struct {
	s       Stream[K, V]
	more    []Stream[K, V] // whose records are gathered in the same store
	windows window.Windows
	onClose bool
}

// Windowed gathers the records of s by key and window. It is a function, and not a
// method, because a method of Stream[K, V] cannot lead to a Table whose key holds
// K: the compiler would have no end of types to make.
func Windowed[K, V any](s Stream[K, V], w window.Windows) WindowedStream[K, V] {
	if err := w.Validate(); err != nil {
		s.b.fail("windows: %v", err)
	}
	return WindowedStream[K, V]{s: s, windows: w}
}

// OnClose makes the aggregation emit each window once, when it has closed: when
// stream time minus the grace period has passed its end. Windows come in the order of
// time, with their last value and its timestamp. Nothing closes without a record that
// moves stream time. It is refused for windows that never end.
//
// As in Kafka Streams, a window that leaves its store before it is emitted is lost: one
// record that moves stream time on by more than the store's retention does that to the
// windows that were open. It is counted as expired. A longer WindowStore.Retention keeps
// them.
func (s WindowedStream[K, V]) OnClose() WindowedStream[K, V] {
	if t, ok := s.windows.(window.Time); ok && t.Endless() {
		s.s.b.fail("windows: with OnClose a window that never ends is never emitted: leave it out, or let the windows end")
	}
	s.onClose = true
	return s
}

// Count counts the records of each key and window, those whose value is null too, as
// Kafka Streams does here. Sliding windows are the exception, there as here: in them a
// null value is dropped, by this and by every other aggregation.
func (s WindowedStream[K, V]) Count(st store.WindowStore[K, int64], opts ...TableOption) Table[window.Windowed[K], int64] {
	return gather(s, "windowed-count", st, opts, counting[K, V]())
}

// Reduce folds the values of each key and window into one of their own type. Records
// without a value are dropped.
func (s WindowedStream[K, V]) Reduce(st store.WindowStore[K, V], combine func(acc, v V) V, opts ...TableOption) Table[window.Windowed[K], V] {
	return gather(s, "windowed-reduce", st, opts, reducing[K](combine))
}

// Aggregate folds the values of each key and window into st, starting from A's zero
// value. Records without a value are dropped.
func (s WindowedStream[K, V]) Aggregate[A any](st store.WindowStore[K, A], add func(acc A, k K, v V) A, opts ...TableOption) Table[window.Windowed[K], A] {
	return gather(s, "windowed-aggregate", st, opts, adding(add))
}

// AggregateFrom is Aggregate that starts from what initial returns, which is called for
// each new window, as Stream.AggregateFrom has it.
func (s WindowedStream[K, V]) AggregateFrom[A any](st store.WindowStore[K, A], initial func() A, add func(acc A, k K, v V) A, opts ...TableOption) Table[window.Windowed[K], A] {
	return gather(s, "windowed-aggregate", st, opts, addingFrom(initial, add))
}

// Fold is the general aggregation: it sees null values, and whether there was anything
// in the window; a result of nothing deletes the window's row.
func (s WindowedStream[K, V]) Fold[A any](st store.WindowStore[K, A], fn func(k K, v Opt[V], old Opt[A]) Opt[A], opts ...TableOption) Table[window.Windowed[K], A] {
	return gather(s, "windowed-fold", st, opts, folding(fn))
}

// A folder takes records into an aggregate.
type folder[K, V, A any] struct {
	fold    func(r *Record[K, V], old Opt[A]) Opt[A]
	initial func() A // what a new row was before, as in Kafka Streams; nil: none
	values  bool     // it needs a value: what has none is dropped
}

func counting[K, V any]() folder[K, V, int64] {
	return folder[K, V, int64]{initial: zero[int64], fold: func(_ *Record[K, V], old Opt[int64]) Opt[int64] { return Some(old.v + 1) }}
}

func reducing[K, V any](combine func(acc, v V) V) folder[K, V, V] {
	return folder[K, V, V]{values: true, fold: func(r *Record[K, V], old Opt[V]) Opt[V] {
		if old.ok {
			return Some(combine(old.v, r.Value))
		}
		return Some(r.Value)
	}}
}

func adding[K, V, A any](add func(acc A, k K, v V) A) folder[K, V, A] {
	return addingFrom(zero, add)
}

func addingFrom[K, V, A any](initial func() A, add func(acc A, k K, v V) A) folder[K, V, A] {
	return folder[K, V, A]{initial: initial, values: true, fold: func(r *Record[K, V], old Opt[A]) Opt[A] {
		return Some(add(old.v, r.Key, r.Value))
	}}
}

func folding[K, V, A any](fn func(k K, v Opt[V], old Opt[A]) Opt[A]) folder[K, V, A] {
	return folder[K, V, A]{fold: func(r *Record[K, V], old Opt[A]) Opt[A] {
		return fn(r.Key, Opt[V]{r.Value, !r.NullValue}, old)
	}}
}

// gather adds the operator that owns st.
func gather[K, V, A any](s WindowedStream[K, V], kind string, st store.WindowStore[K, A], opts []TableOption, f folder[K, V, A]) Table[window.Windowed[K], A] {
	b := s.s.b
	o := b.tableOptions(opts)
	o.never = s.onClose
	if o.backed {
		b.fail("windowed table %q: only Builder.Table can have its source topic as changelog", st.Name())
	}
	keep := windowRetention(s.windows)
	st, enough := st.Sized(s.windows.Size()).Keeping(keep)
	if !enough {
		b.fail("store %q: its retention is less than the %d ms that its windows and their grace period need: raise it, or leave it out", st.Name(), keep)
	}
	if s.onClose {
		st = st.InOrder()
	}
	b.own(st, kind+" "+st.Name(), st.Retention(0))
	n := node{kind: kind, name: st.Name(), stores: []string{st.Name()}, keyed: true}
	id := gatherFrom(append([]Stream[K, V]{s.s}, s.more...), n, func(w wiring, n node, first bool, out *task.Port[update[window.Windowed[K], A]]) func(Record[K, V]) error {
		g := &gatherer[K, V, A]{
			w: w, view: st.Open(scope{w.t, n}), out: out, folder: f, grace: s.windows.GracePeriod(),
			now: w.t.NodeTime(n.name + nowSuffix), coalesce: o.coalesces(),
		}
		if s.onClose {
			g.closer = newCloser(w.t, n.name, g.view)
		} else if g.coalesce && first {
			w.t.OnFlush(g.flush)
		}
		if w, ok := s.windows.(window.Sliding); ok {
			return (&slider[K, V, A]{gatherer: g, size: w.Size()}).process
		}
		return g.timed(s.windows.(window.Time))
	})
	ends := &closing{grace: s.windows.GracePeriod()}
	if t, ok := s.windows.(window.Time); ok {
		ends.never = t.Endless()
	}
	keys, values := st.Serdes()
	t := Table[window.Windowed[K], A]{b: b, id: id, closing: ends, values: values, read: func(t *task.Task) reader[window.Windowed[K], A] {
		return windowReader[K, A]{st.Open(scope{t, n})}
	}}
	if keys != nil {
		t.keys = serde.TimeWindowed(keys, duration(s.windows.Size()))
	}
	return inHindsight(t, st.Name(), o)
}

// duration is ms as a duration, the longest there is for what has none.
func duration(ms int64) time.Duration {
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// nowSuffix, behind a node's name, names the stream time that the node has seen. No
// name holds an @.
const nowSuffix = "@now"

// windowRetention is how long, in ms, windows are kept if nobody says more.
func windowRetention(w window.Windows) int64 {
	switch w := w.(type) {
	case window.Sliding: // a record looks back for windows that end before its own begins
		return 2*w.Size() + w.GracePeriod()
	case window.Time:
		if w.Endless() {
			return w.Size()
		}
	}
	return w.Size() + w.GracePeriod()
}

// A gatherer is the running operator that owns a windowed table's store.
type gatherer[K, V, A any] struct {
	w        wiring
	view     *store.WindowView[K, A]
	out      *task.Port[update[window.Windowed[K], A]]
	folder   folder[K, V, A]
	grace    int64
	now      *task.NodeTime // the greatest timestamp that came here
	closer   *closer        // nil: every update is emitted, or what a commit makes of them
	coalesce bool
	r        Record[K, V]                  // the one in hand; kept here so that it need not escape
	u        update[window.Windowed[K], A] // likewise
}

// timed processes records by windows that begin at regular times.
func (g *gatherer[K, V, A]) timed(windows window.Time) func(Record[K, V]) error {
	return func(rec Record[K, V]) error {
		g.r = rec
		r := &g.r
		if r.NullKey {
			g.w.t.Drop(task.DropNullKey)
			return nil
		}
		at := r.Time.UnixMilli()
		closed := g.now.Advance(at) - g.grace
		if r.NullValue && g.folder.values {
			g.w.t.Drop(task.DropNullValue)
			return nil
		}
		for start, ok := windows.First(at); ok; start, ok = windows.Next(start, at) {
			span := windows.At(start)
			if span.End <= closed {
				g.w.t.Drop(task.DropLate)
				continue
			}
			old, oldAt, ok, err := g.view.Load(r.Key, start)
			if err == nil {
				err = g.put(r, span, Opt[A]{old, ok}, max(at, oldAt))
			}
			if err != nil {
				return err
			}
		}
		return g.closeTimed(r, windows.Size(), closed)
	}
}

// put folds r into a window that held old. What comes of it has the timestamp at.
func (g *gatherer[K, V, A]) put(r *Record[K, V], span window.Span, old Opt[A], at int64) error {
	g.w.t.Enter(g.w.id)
	if !old.ok && g.folder.initial != nil {
		old = Some(g.folder.initial())
	}
	agg := g.folder.fold(r, old)
	return g.set(r, span, old, agg, at)
}

// set replaces what a window of r's key holds.
func (g *gatherer[K, V, A]) set(r *Record[K, V], span window.Span, old, agg Opt[A], at int64) (err error) {
	u := &g.u
	*u = update[window.Windowed[K], A]{headers: r.Headers}
	u.Key = window.Windowed[K]{Key: r.Key, Span: span}
	u.Old, u.NullOld, u.New, u.NullNew, u.Time = old.v, !old.ok, agg.v, !agg.ok, at
	if u.NullNew {
		err = g.view.Remove(r.Key, span.Start, at)
	} else {
		err = g.view.Store(r.Key, span.Start, u.New, at)
	}
	switch {
	case err != nil:
		return err
	case g.closer != nil, g.coalesce:
		return nil
	}
	return g.out.Emit(*u)
}

// flush emits what changed since the last commit.
func (g *gatherer[K, V, A]) flush() error {
	return g.view.Changed(func(c store.Change[window.Windowed[K], A]) error {
		if c.NullNew && c.NullOld {
			return nil
		}
		return g.out.Emit(update[window.Windowed[K], A]{Change: c})
	})
}

// A windowReader looks up the rows of a windowed table.
type windowReader[K, A any] struct{ view *store.WindowView[K, A] }

func (r windowReader[K, A]) Load(k window.Windowed[K]) (v A, at int64, ok bool, err error) {
	return r.view.Load(k.Key, k.Start)
}
