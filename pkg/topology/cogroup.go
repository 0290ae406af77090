package topology

import (
	"fmt"
	"slices"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// A Cogroup is several streams of equal keys, of any values, that are to be folded
// into one table. It is a value: And returns another.
type Cogroup[K, A any] struct {
	parts []Stream[K, func(old Opt[A]) Opt[A]]
	folds bool // one of them is not only added to the zero value
}

// Cogroup begins a group of streams: add folds the values of this one.
func (s Stream[K, V]) Cogroup[A any](add func(acc A, k K, v V) A) Cogroup[K, A] {
	return Cogroup[K, A]{parts: []Stream[K, func(Opt[A]) Opt[A]]{folds(s, added(add))}}
}

// CogroupFold is Cogroup with a fold that sees whether there was anything, and deletes
// the row by returning None.
func (s Stream[K, V]) CogroupFold[A any](fn func(k K, v V, old Opt[A]) Opt[A]) Cogroup[K, A] {
	return Cogroup[K, A]{[]Stream[K, func(Opt[A]) Opt[A]]{folds(s, fn)}, true}
}

// And adds a stream whose values add folds.
func (g Cogroup[K, A]) And[V any](s Stream[K, V], add func(acc A, k K, v V) A) Cogroup[K, A] {
	return and(g, s, added(add), g.folds)
}

// AndFold adds a stream whose values fn folds, as CogroupFold has it.
func (g Cogroup[K, A]) AndFold[V any](s Stream[K, V], fn func(k K, v V, old Opt[A]) Opt[A]) Cogroup[K, A] {
	return and(g, s, fn, true)
}

func and[K, V, A any](g Cogroup[K, A], s Stream[K, V], fn func(k K, v V, old Opt[A]) Opt[A], folded bool) Cogroup[K, A] {
	if len(g.parts) > 0 && g.parts[0].b != s.b {
		g.parts[0].b.fail("cogroup of streams from two builders")
		return g
	}
	return Cogroup[K, A]{append(slices.Clone(g.parts), folds(s, fn)), folded}
}

// added is add as a fold.
func added[K, V, A any](add func(acc A, k K, v V) A) func(K, V, Opt[A]) Opt[A] {
	return func(k K, v V, old Opt[A]) Opt[A] { return Some(add(old.v, k, v)) }
}

// Aggregate folds what comes from the streams into st, as Stream.Aggregate would:
// starting from A's zero value, without records that have no key or no value.
func (g Cogroup[K, A]) Aggregate(st store.KV[K, A], opts ...TableOption) Table[K, A] {
	return g.aggregate(st, g.zero(), opts)
}

// AggregateFrom is Aggregate that starts from what initial returns, as
// Stream.AggregateFrom has it. Folds are given that for an old value, too.
func (g Cogroup[K, A]) AggregateFrom(st store.KV[K, A], initial func() A, opts ...TableOption) Table[K, A] {
	return g.aggregate(st, initial, opts)
}

// zero is what a new row was before, if nobody says: none where a fold may ask.
func (g Cogroup[K, A]) zero() func() A {
	if g.folds {
		return nil
	}
	return zero[A]
}

func (g Cogroup[K, A]) aggregate(st store.KV[K, A], initial func() A, opts []TableOption) Table[K, A] {
	all := g.parts[0]
	for _, s := range g.parts[1:] {
		all = all.Merge(s)
	}
	return keep(valued(all, "cogroup"), "cogroup", st, opts, func(r Record[K, func(Opt[A]) Opt[A]], c *store.Change[K, A]) bool {
		c.Time = aggregateTime(r, c)
		if c.NullOld && initial != nil {
			c.Old, c.NullOld = initial(), false
		}
		now := r.Value(Opt[A]{c.Old, !c.NullOld})
		c.New, c.NullNew = now.v, !now.ok
		return true
	})
}

// folds makes of every value the function that folds it: one function, which takes
// the value of the record in hand.
func folds[K, V, A any](s Stream[K, V], fn func(k K, v V, old Opt[A]) Opt[A]) Stream[K, func(old Opt[A]) Opt[A]] {
	return pipe(s, "cogroup-input", func(w wiring, out *task.Port[Record[K, func(Opt[A]) Opt[A]]]) func(Record[K, V]) error {
		var in Record[K, V]
		fold := func(old Opt[A]) Opt[A] { return fn(in.Key, in.Value, old) }
		return func(r Record[K, V]) error {
			in = r
			return out.Emit(Record[K, func(Opt[A]) Opt[A]]{Key: r.Key, NullKey: r.NullKey, Value: fold, NullValue: r.NullValue, Time: r.Time, Headers: r.Headers})
		}
	})
}

// WindowedCogroup gathers the records of a group by key and window. It is a function for
// the reason that Windowed is. As in Kafka Streams, each stream has a time of its own:
// what is late is decided by the records of its stream.
func WindowedCogroup[K, A any](g Cogroup[K, A], w window.Windows) CogroupWindows[K, A] {
	parts := Windowed(g.parts[0], w)
	parts.more = g.parts[1:]
	return CogroupWindows[K, A]{parts, g.zero()}
}

// CogroupWindows are streams that are to be folded into one windowed table.
type CogroupWindows[K, A any] struct {
	parts WindowedStream[K, func(old Opt[A]) Opt[A]]
	zero  func() A
}

// Aggregate folds what comes from the streams into st, as WindowedStream.Aggregate
// would.
func (g CogroupWindows[K, A]) Aggregate(st store.WindowStore[K, A], opts ...TableOption) Table[window.Windowed[K], A] {
	return gather(g.parts, "windowed-aggregate", st, opts, cofolding[K](g.zero))
}

// AggregateFrom is Aggregate that starts from what initial returns, as
// Cogroup.AggregateFrom has it.
func (g CogroupWindows[K, A]) AggregateFrom(st store.WindowStore[K, A], initial func() A, opts ...TableOption) Table[window.Windowed[K], A] {
	return gather(g.parts, "windowed-aggregate", st, opts, cofolding[K](initial))
}

// SessionCogroup is WindowedCogroup for sessions.
func SessionCogroup[K, A any](g Cogroup[K, A], w window.Session) CogroupSessions[K, A] {
	parts := Sessions(g.parts[0], w)
	parts.more = g.parts[1:]
	return CogroupSessions[K, A]{parts, g.folds}
}

// CogroupSessions are streams that are to be folded into one table of sessions.
type CogroupSessions[K, A any] struct {
	parts SessionStream[K, func(old Opt[A]) Opt[A]]
	folds bool
}

// cofolding folds by what the streams bring.
func cofolding[K, A any](initial func() A) folder[K, func(Opt[A]) Opt[A], A] {
	return folder[K, func(Opt[A]) Opt[A], A]{initial: initial, values: true, fold: func(r *Record[K, func(Opt[A]) Opt[A]], old Opt[A]) Opt[A] {
		return r.Value(old)
	}}
}

// Aggregate folds what comes from the streams into st, as SessionStream.Aggregate would,
// or SessionStream.Fold if one of the streams is folded: join is given what there is then.
func (g CogroupSessions[K, A]) Aggregate(st store.SessionStore[K, A], join func(k K, a, b A) A, opts ...TableOption) Table[window.Windowed[K], A] {
	return merge(g.parts, "session-aggregate", st, opts, merger[K, func(Opt[A]) Opt[A], A]{cofolding[K, A](nil), func(k K, a, b Opt[A]) Opt[A] {
		if g.folds && !a.ok {
			return b
		}
		return Some(join(k, a.v, b.v))
	}})
}

// A gathering opens one of the operators that share the store of a windowed table. The
// first of them is the one that emits what a commit makes of the changes.
type gathering[K, V, A any] = func(w wiring, n node, first bool, out *task.Port[update[window.Windowed[K], A]]) func(Record[K, V]) error

// gatherFrom adds an operator for each of the streams, all of them with the store of n,
// and returns the node that their updates leave. The first stream's is n itself.
func gatherFrom[K, V, A any](streams []Stream[K, V], n node, open gathering[K, V, A]) int {
	b := streams[0].b
	var ids []int
	for i, s := range streams {
		n := n
		if s.needsKey(n.kind, n.name); i > 0 {
			n.name = fmt.Sprintf("%s-%d", n.name, i+1)
		}
		ids = append(ids, connect(b, n, s.id, func(w wiring, out *task.Port[update[window.Windowed[K], A]]) (func(Record[K, V]) error, error) {
			return open(w, n, i == 0, out), nil
		}))
	}
	if len(ids) == 1 {
		return ids[0]
	}
	return b.add(node{kind: "merge", parents: ids, open: func(w wiring) error {
		out := task.Outlet[update[window.Windowed[K], A]](w.t, w.id)
		for _, p := range w.parents {
			task.Outlet[update[window.Windowed[K], A]](w.t, p).Subscribe(out.Emit)
		}
		return nil
	}})
}
