package topology

import "github.com/leatstream/leat/internal/task"

// JoinTable emits fn(k, v, row) for every record whose key has a row in the table
// at that moment or, if the table is versioned, had one at the record's time; only the
// stream's side triggers. Records without a key or without a value are dropped.
func (s Stream[K, V]) JoinTable[R, O any](right Table[K, R], fn func(k K, v V, row R) O, opts ...JoinTableOption[K, V]) Stream[K, O] {
	return lookup(s, right, inner, func(k K, v V, row Opt[R]) O { return fn(k, v, row.v) }, opts)
}

// LeftJoinTable is JoinTable that emits for every record which has a value,
// whether there is a row or not.
func (s Stream[K, V]) LeftJoinTable[R, O any](right Table[K, R], fn func(k K, v V, row Opt[R]) O, opts ...JoinTableOption[K, V]) Stream[K, O] {
	return lookup(s, right, left, fn, opts)
}

type joinKind int8

const (
	inner joinKind = iota
	left
	outer
)

func (j joinKind) String() string { return [...]string{"inner", "left", "outer"}[j] }

func lookup[K, V, R, O any](s Stream[K, V], right Table[K, R], j joinKind, fn func(K, V, Opt[R]) O, opts []JoinTableOption[K, V]) Stream[K, O] {
	kind := [...]string{inner: "join-table", left: "left-join-table"}[j]
	if s.b != right.b {
		s.b.fail("%s of a stream and a table from two builders", kind)
		return Stream[K, O]{b: s.b, id: s.id}
	}
	s.needsKey(kind, s.b.nodes[right.id].name)
	right.needRows(kind)
	n := node{kind: kind, parents: []int{s.id, right.id}, keyed: true, relaxed: j == left}
	var o joinTableOptions[K, V]
	for _, opt := range opts {
		opt(&o)
	}
	if o.queue != nil {
		n = graced(s, right, n, o)
	}
	n.open = func(w wiring) error {
		rows, out := rowsFor(right, w.t), task.Outlet[Record[K, O]](w.t, w.id)
		process := func(r Record[K, V]) error {
			row, ok, err := find(w, rows, &r, j)
			if err != nil || !ok && (j == inner || r.NullValue) {
				return err
			}
			w.t.Enter(w.id)
			o := Record[K, O]{Key: r.Key, NullKey: r.NullKey, Time: r.Time, Headers: r.Headers}
			o.Value = fn(r.Key, r.Value, Opt[R]{row, ok})
			return out.Emit(o)
		}
		if o.queue != nil {
			g, err := newGracer(w, n, o, process)
			if err != nil {
				return err
			}
			process = g.process
		}
		task.Outlet[Record[K, V]](w.t, w.parents[0]).Subscribe(process)
		return nil
	}
	return Stream[K, O]{b: s.b, id: s.b.add(n)}
}

// find looks up the row that meets r, and counts a record that can meet none.
func find[K, V, R any](w wiring, rows asOfReader[K, R], r *Record[K, V], j joinKind) (row R, ok bool, err error) {
	switch {
	case r.NullValue:
		w.t.Drop(task.DropNullValue)
	case r.NullKey && j == inner:
		w.t.Drop(task.DropNullKey)
	case !r.NullKey:
		w.t.Enter(w.id)
		row, _, ok, err = rows.LoadAsOf(r.Key, r.Time.UnixMilli())
	}
	return row, ok, err
}

// rowsFor reads the rows of a table as a stream's records meet them: those of their
// times, if the table has them, else the last ones.
func rowsFor[K, V any](t Table[K, V], tk *task.Task) asOfReader[K, V] {
	if t.asOf != nil {
		return t.asOf(tk)
	}
	return lastRows[K, V]{t.read(tk)}
}

// lastRows takes the last rows for those of any time.
type lastRows[K, V any] struct{ reader[K, V] }

func (l lastRows[K, V]) LoadAsOf(k K, _ int64) (v V, from int64, ok bool, err error) {
	return l.Load(k)
}
