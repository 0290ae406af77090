package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// A WindowedStream is a stream whose records are to be gathered by key and window.
type WindowedStream[K, V any] struct {
	s       Stream[K, V]
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

// Count counts the records of each key and window, those whose value is null too, as
// Kafka Streams does here.
func (s WindowedStream[K, V]) Count(st store.WindowStore[K, int64], opts ...TableOption) Table[window.Windowed[K], int64] {
	return gather(s, "windowed-count", st, opts, func(_ *wiring, _ *Record[K, V], old Opt[int64]) (Opt[int64], bool) {
		return Some(old.Or(0) + 1), true
	})
}

// Reduce folds the values of each key and window into one of their own type. Records
// without a value are dropped.
func (s WindowedStream[K, V]) Reduce(st store.WindowStore[K, V], combine func(acc, v V) V, opts ...TableOption) Table[window.Windowed[K], V] {
	return gather(s, "windowed-reduce", st, opts, withValue(func(r *Record[K, V], old Opt[V]) V {
		if acc, ok := old.Get(); ok {
			return combine(acc, r.Value)
		}
		return r.Value
	}))
}

// Aggregate folds the values of each key and window into st, starting from A's zero
// value. Records without a value are dropped.
func (s WindowedStream[K, V]) Aggregate[A any](st store.WindowStore[K, A], add func(acc A, k K, v V) A, opts ...TableOption) Table[window.Windowed[K], A] {
	var zero A
	return gather(s, "windowed-aggregate", st, opts, withValue(func(r *Record[K, V], old Opt[A]) A {
		return add(old.Or(zero), r.Key, r.Value)
	}))
}

// Fold is the general aggregation: it sees null values, and whether there was anything
// in the window; a result of nothing deletes the window's row.
func (s WindowedStream[K, V]) Fold[A any](st store.WindowStore[K, A], fn func(k K, v Opt[V], old Opt[A]) Opt[A], opts ...TableOption) Table[window.Windowed[K], A] {
	return gather(s, "windowed-fold", st, opts, func(_ *wiring, r *Record[K, V], old Opt[A]) (Opt[A], bool) {
		return fn(r.Key, Opt[V]{r.Value, !r.NullValue}, old), true
	})
}

// A folder takes a record into an aggregate. It returns false if it drops the record.
type folder[K, V, A any] = func(*wiring, *Record[K, V], Opt[A]) (Opt[A], bool)

// withValue is a folder that drops records without a value.
func withValue[K, V, A any](fn func(*Record[K, V], Opt[A]) A) folder[K, V, A] {
	return func(w *wiring, r *Record[K, V], old Opt[A]) (Opt[A], bool) {
		if r.NullValue {
			w.t.Drop(task.DropNullValue)
			return Opt[A]{}, false
		}
		return Some(fn(r, old)), true
	}
}

// gather adds the operator that owns st.
func gather[K, V, A any](s WindowedStream[K, V], kind string, st store.WindowStore[K, A], opts []TableOption, fold folder[K, V, A]) Table[window.Windowed[K], A] {
	b := s.s.b
	o := b.tableOptions(opts)
	if o.backed {
		b.fail("windowed table %q: only Builder.Table can have its source topic as changelog", st.Name())
	}
	keep := windowRetention(s.windows)
	st, enough := st.Sized(s.windows.Size()).Keeping(keep)
	if !enough {
		b.fail("store %q: its retention is less than the %d ms that its windows and their grace period need: raise it, or leave it out", st.Name(), keep)
	}
	s.s.needsKey(kind, st.Name())
	b.own(st, kind+" "+st.Name())
	n := node{kind: kind, name: st.Name(), stores: []string{st.Name()}, keyed: true}
	id := connect(b, n, s.s.id, func(w wiring, out *task.Port[update[window.Windowed[K], A]]) (func(Record[K, V]) error, error) {
		g := &gatherer[K, V, A]{
			w: w, view: st.Open(scope{w.t, n}), out: out, fold: fold, grace: s.windows.GracePeriod(),
			now: w.t.NodeTime(n.name + nowSuffix), coalesce: o.coalesce,
		}
		if o.coalesce {
			w.t.OnFlush(g.flush)
		}
		return g.timed(s.windows.(window.Time)), nil
	})
	return Table[window.Windowed[K], A]{b: b, id: id, read: func(t *task.Task) reader[window.Windowed[K], A] {
		return windowReader[K, A]{st.Open(scope{t, n})}
	}}
}

// nowSuffix, behind a node's name, names the stream time that the node has seen. No
// name holds an @.
const nowSuffix = "@now"

// windowRetention is how long, in ms, windows are kept if nobody says more.
func windowRetention(w window.Windows) int64 {
	if t, ok := w.(window.Time); ok && t.Endless() {
		return t.Size()
	}
	return w.Size() + w.GracePeriod()
}

// A gatherer is the running operator that owns a windowed table's store.
type gatherer[K, V, A any] struct {
	w        wiring
	view     *store.WindowView[K, A]
	out      *task.Port[update[window.Windowed[K], A]]
	fold     folder[K, V, A]
	grace    int64
	now      *task.NodeTime // the greatest timestamp that came here
	coalesce bool
	u        update[window.Windowed[K], A] // the one in hand; kept here so that it need not escape
}

// timed processes records by windows that begin at regular times.
func (g *gatherer[K, V, A]) timed(windows window.Time) func(Record[K, V]) error {
	return func(r Record[K, V]) error {
		if r.NullKey {
			g.w.t.Drop(task.DropNullKey)
			return nil
		}
		at := r.Time.UnixMilli()
		closed := g.now.Advance(at) - g.grace
		for start, ok := windows.First(at); ok; start, ok = windows.Next(start, at) {
			span := windows.At(start)
			if span.End <= closed {
				g.w.t.Drop(task.DropLate)
				continue
			}
			if err := g.take(&r, span, at); err != nil {
				return err
			}
		}
		return nil
	}
}

// take folds r into one window.
func (g *gatherer[K, V, A]) take(r *Record[K, V], span window.Span, at int64) error {
	old, oldAt, ok, err := g.view.Load(r.Key, span.Start)
	if err != nil {
		return err
	}
	if ok {
		at = max(at, oldAt)
	}
	g.w.t.Enter(g.w.id)
	agg, counts := g.fold(&g.w, r, Opt[A]{old, ok})
	if !counts {
		return nil
	}
	u := &g.u
	*u = update[window.Windowed[K], A]{headers: r.Headers}
	u.Key = window.Windowed[K]{Key: r.Key, Span: span}
	u.Old, u.NullOld, u.New, u.NullNew, u.Time = old, !ok, agg.v, !agg.ok, at
	if u.NullNew {
		err = g.view.Remove(r.Key, span.Start, at)
	} else {
		err = g.view.Store(r.Key, span.Start, u.New, at)
	}
	if err != nil || g.coalesce {
		return err
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
