package topology

import (
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// Join emits fn(k, l, r) for every pair of a record of s and one of right that have one
// key and times within w, as soon as the second of them is there; the result has the
// later time. Records without a key or without a value are dropped. Both streams are
// kept in st for as long as they may find a partner.
func (s Stream[K, V]) Join[R, O any](right Stream[K, R], w window.Join, st store.JoinStores[K, V, R], fn func(k K, l V, r R) O) Stream[K, O] {
	return join(s, right, w, joining[K, V, R, O]{"join", store.OuterNone, st, func(k K, l Opt[V], r Opt[R]) O { return fn(k, l.v, r.v) }})
}

// LeftJoin is Join that also emits the records of s that find no partner: when stream
// time has passed the end of their window and the grace period, or at once if they come
// so late, or have no key. Nothing is emitted unless a record comes.
func (s Stream[K, V]) LeftJoin[R, O any](right Stream[K, R], w window.Join, st store.JoinStores[K, V, R], fn func(k K, l V, r Opt[R]) O) Stream[K, O] {
	return join(s, right, w, joining[K, V, R, O]{"left-join", store.OuterLeft, st, func(k K, l Opt[V], r Opt[R]) O { return fn(k, l.v, r) }})
}

// OuterJoin is LeftJoin that emits the records of either side that find no partner.
func (s Stream[K, V]) OuterJoin[R, O any](right Stream[K, R], w window.Join, st store.JoinStores[K, V, R], fn func(k K, l Opt[V], r Opt[R]) O) Stream[K, O] {
	return join(s, right, w, joining[K, V, R, O]{"outer-join", store.OuterBoth, st, fn})
}

// joining is what a join is to do.
type joining[K, L, R, O any] struct {
	kind  string
	outer store.Outer
	st    store.JoinStores[K, L, R]
	fn    func(K, Opt[L], Opt[R]) O
}

func join[K, L, R, O any](left Stream[K, L], right Stream[K, R], w window.Join, j joining[K, L, R, O]) Stream[K, O] {
	b := left.b
	if err := w.Validate(); err != nil {
		b.fail("%s %q: %v", j.kind, j.st.Name(), err)
	}
	left.needsKey(j.kind, j.st.Name())
	right.needsKey(j.kind, j.st.Name())
	if b != right.b {
		b.fail("%s %q of streams from two builders", j.kind, j.st.Name())
		return Stream[K, O]{b: b, id: left.id}
	}
	if left.id == right.id && j.outer == store.OuterNone {
		j.st = j.st.Once()
	}
	n := node{kind: j.kind, name: j.st.Name(), parents: []int{left.id, right.id}, keyed: true, relaxed: j.outer != store.OuterNone}
	for _, d := range j.stores(w) {
		b.own(d, j.kind+" "+j.st.Name(), j.unsaid(d))
		n.stores = append(n.stores, d.Name())
	}
	n.open = func(wr wiring) error {
		openJoin(wr, n, w, j)
		return nil
	}
	return Stream[K, O]{b: b, id: b.add(n)}
}

// unsaid is d as one declares it who leaves to the join how long records are kept.
func (j *joining[K, L, R, O]) unsaid(d store.Descriptor) store.Descriptor {
	switch d := d.(type) {
	case store.WindowStore[K, L]:
		return d.Retention(0)
	case store.WindowStore[K, R]:
		return d.Retention(0)
	}
	return d
}

// stores describes what the join keeps.
func (j *joining[K, L, R, O]) stores(w window.Join) []store.Descriptor {
	keep := w.Size() + w.GracePeriod()
	lefts, rights := j.st.Lefts(j.outer, keep), j.st.Rights(j.outer, keep)
	switch {
	case lefts.Name() == rights.Name():
		return []store.Descriptor{lefts}
	case j.outer == store.OuterNone:
		return []store.Descriptor{lefts, rights}
	}
	return []store.Descriptor{lefts, rights, j.st.Singles(j.outer)}
}
