package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
)

// Join is the table of fn(k, v, row) for every key that both tables have. An update
// of either side is one of the result, with the greater timestamp of the two rows.
func (t Table[K, V]) Join[R, O any](right Table[K, R], fn func(k K, v V, row R) O) Table[K, O] {
	return meet(t, right, inner, func(k K, v Opt[V], row Opt[R]) O { return fn(k, v.v, row.v) })
}

// LeftJoin is Join for every key of t, whether right has it or not.
func (t Table[K, V]) LeftJoin[R, O any](right Table[K, R], fn func(k K, v V, row Opt[R]) O) Table[K, O] {
	return meet(t, right, left, func(k K, v Opt[V], row Opt[R]) O { return fn(k, v.v, row) })
}

// OuterJoin is Join for every key that one of the tables has, or both.
func (t Table[K, V]) OuterJoin[R, O any](right Table[K, R], fn func(k K, v Opt[V], row Opt[R]) O) Table[K, O] {
	return meet(t, right, outer, fn)
}

// exists reports whether two rows, which may be missing, make one.
func (j joinKind) exists(left, right bool) bool {
	switch j {
	case inner:
		return left && right
	case outer:
		return left || right
	}
	return left
}

func meet[K, V, R, O any](t Table[K, V], right Table[K, R], j joinKind, fn func(K, Opt[V], Opt[R]) O) Table[K, O] {
	kind := j.String() + "-table-table"
	if t.b != right.b {
		t.b.fail("%s of tables from two builders", kind)
		return Table[K, O]{b: t.b, id: t.id}
	}
	t.needRows(kind)
	right.needRows(kind)
	if j != inner { // else whether there was a row cannot be told
		t.wantOld()
	}
	if j == outer {
		right.wantOld()
	}
	olds := false
	n := node{kind: kind, parents: []int{t.id, right.id}, keyed: true}
	n.open = func(w wiring) error {
		out := task.Outlet[update[K, O]](w.t, w.id)
		onLeft := half[K, V, R, O]{w, out, right.readEmitted(w.t), olds, j.exists, fn}
		onRight := half[K, R, V, O]{w, out, t.readEmitted(w.t), olds, func(r, l bool) bool { return j.exists(l, r) },
			func(k K, row Opt[R], v Opt[V]) O { return fn(k, v, row) }}
		// The last subscription is called first: the left side, if both are one table.
		task.Outlet[update[K, R]](w.t, w.parents[1]).Subscribe(onRight.process)
		task.Outlet[update[K, V]](w.t, w.parents[0]).Subscribe(onLeft.process)
		return nil
	}
	return Table[K, O]{
		b: t.b, id: t.b.add(n), keys: t.keys, closing: t.closing.and(right.closing),
		read: func(tk *task.Task) reader[K, O] {
			return joined[K, V, R, O]{t.read(tk), right.read(tk), j.exists, fn}
		},
		emitted: func(tk *task.Task) reader[K, O] {
			return joined[K, V, R, O]{t.readEmitted(tk), right.readEmitted(tk), j.exists, fn}
		},
		want: func() bool {
			olds = t.wantOld() && right.wantOld()
			return olds
		},
	}
}

// A half of a join handles the updates of one of its tables.
type half[K, V, R, O any] struct {
	w      wiring
	out    *task.Port[update[K, O]]
	others reader[K, R]
	olds   bool
	exists func(this, other bool) bool
	fn     func(K, Opt[V], Opt[R]) O
}

func (h *half[K, V, R, O]) process(u update[K, V]) error {
	if u.past {
		h.w.t.Drop(task.DropPast)
		return nil
	}
	h.w.t.Enter(h.w.id)
	row, at, ok, err := h.others.Load(u.Key)
	if err != nil {
		return err
	}
	if !ok && !h.exists(!u.NullOld, false) && !h.exists(!u.NullNew, false) {
		return nil // there is no such row, and there was none
	}
	o := update[K, O]{Change: store.Change[K, O]{Key: u.Key, Time: u.Time}, headers: u.headers}
	if ok {
		o.Time = max(o.Time, at)
	}
	before, after := u.values()
	var old Opt[O]
	if h.olds {
		old = h.pair(u.Key, before, Opt[R]{row, ok})
	}
	o.set(old, h.pair(u.Key, after, Opt[R]{row, ok}))
	return h.out.Emit(o)
}

func (h *half[K, V, R, O]) pair(k K, this Opt[V], other Opt[R]) (o Opt[O]) {
	if h.exists(this.ok, other.ok) {
		o = Some(h.fn(k, this, other))
	}
	return o
}

// joined reads the join of two tables.
type joined[K, V, R, O any] struct {
	left   reader[K, V]
	right  reader[K, R]
	exists func(left, right bool) bool
	fn     func(K, Opt[V], Opt[R]) O
}

func (j joined[K, V, R, O]) Load(k K) (o O, at int64, ok bool, err error) {
	v, at, hasLeft, err := j.left.Load(k)
	if err != nil {
		return o, 0, false, err
	}
	row, rowAt, hasRight, err := j.right.Load(k)
	if err != nil {
		return o, 0, false, err
	}
	if hasRight {
		at = max(at, rowAt)
	}
	if !j.exists(hasLeft, hasRight) {
		return o, 0, false, nil
	}
	return j.fn(k, Opt[V]{v, hasLeft}, Opt[R]{row, hasRight}), at, true, nil
}
