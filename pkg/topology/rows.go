package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
)

// Filter keeps the rows for which keep returns true. A row that stops being one of
// them is deleted.
func (t Table[K, V]) Filter(keep func(K, V) bool) Table[K, V] {
	g := silent
	if t.asOf != nil {
		g = passed // an older version that is no row is news for a table of versions
	}
	out := derive(t, "filter", func(k K, v V) Opt[V] { return Opt[V]{v, keep(k, v)} }, g)
	out.values = t.values
	out.wantOld() // so that a row which never was one of them is not deleted
	return out
}

// MapValues replaces the value of every row.
func (t Table[K, V]) MapValues[V2 any](fn func(V) V2) Table[K, V2] {
	return t.MapValuesWithKey(func(_ K, v V) V2 { return fn(v) })
}

// MapValuesWithKey is MapValues that sees the key.
func (t Table[K, V]) MapValuesWithKey[V2 any](fn func(K, V) V2) Table[K, V2] {
	return derive(t, "map-values", func(k K, v V) Opt[V2] { return Some(fn(k, v)) }, passed)
}

// Materialize keeps the rows in st, so that they can be queried, and are not
// computed anew for every reader.
func (t Table[K, V]) Materialize(st store.KV[K, V], opts ...TableOption) Table[K, V] {
	kept := t.Stream().Table(st, opts...)
	kept.closing = t.closing
	return kept
}

// gap says what becomes of an update that has a row neither before nor after.
type gap bool

const (
	passed gap = false // it is a deletion like others
	silent gap = true  // nobody hears of it
)

// derive adds a table whose rows are made from those of t, one by one.
func derive[K, V, V2 any](t Table[K, V], kind string, fn func(K, V) Opt[V2], g gap) Table[K, V2] {
	olds := false
	id := connect(t.b, node{kind: kind}, t.id, func(w wiring, out *task.Port[update[K, V2]]) (func(update[K, V]) error, error) {
		row := func(k K, v Opt[V]) (o Opt[V2]) {
			if v.ok {
				o = fn(k, v.v)
			}
			return o
		}
		return func(u update[K, V]) error {
			w.t.Enter(w.id)
			o := update[K, V2]{Change: store.Change[K, V2]{Key: u.Key, Time: u.Time}, headers: u.headers, past: u.past}
			old, now := u.values()
			var was Opt[V2]
			if olds {
				was = row(u.Key, old)
			}
			o.set(was, row(u.Key, now))
			if g == silent && olds && o.NullOld && o.NullNew && !o.past {
				return nil
			}
			return out.Emit(o)
		}, nil
	})
	out := Table[K, V2]{b: t.b, id: id, keys: t.keys, closing: t.closing, want: func() bool {
		olds = t.wantOld()
		return olds
	}}
	if t.read != nil {
		out.read = func(tk *task.Task) reader[K, V2] { return derived[K, V, V2]{from: t.read(tk), fn: fn} }
		out.emitted = func(tk *task.Task) reader[K, V2] { return derived[K, V, V2]{from: t.readEmitted(tk), fn: fn} }
	}
	if out.history = t.history; t.asOf != nil {
		out.asOf = func(tk *task.Task) asOfReader[K, V2] { return derived[K, V, V2]{at: t.asOf(tk), fn: fn} }
	}
	return out
}

// derived reads a table that is made from another, row by row.
type derived[K, V, V2 any] struct {
	from reader[K, V]
	at   asOfReader[K, V]
	fn   func(K, V) Opt[V2]
}

func (d derived[K, V, V2]) Load(k K) (v V2, at int64, ok bool, err error) {
	row, at, ok, err := d.from.Load(k)
	return d.derive(k, row, at, ok, err)
}

func (d derived[K, V, V2]) LoadAsOf(k K, at int64) (v V2, from int64, ok bool, err error) {
	row, from, ok, err := d.at.LoadAsOf(k, at)
	return d.derive(k, row, from, ok, err)
}

func (d derived[K, V, V2]) derive(k K, row V, at int64, ok bool, err error) (V2, int64, bool, error) {
	if err != nil || !ok {
		var none V2
		return none, 0, false, err
	}
	o := d.fn(k, row)
	return o.v, at, o.ok, nil
}
