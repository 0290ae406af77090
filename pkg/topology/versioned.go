package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
)

// versions adds the operator that keeps a stream as a versioned table in st.
func (s Stream[K, V]) versions(st store.VersionedKV[K, V], opts []TableOption) Table[K, V] {
	b := s.b
	if o := b.tableOptions(opts); o.backed || o.coalesce {
		b.fail("table %q: a versioned table tells of every version, and its changelog has them all: it is neither coalesced nor kept by its source topic", st.Name())
	}
	if st.History() < 0 {
		b.fail("table %q: a history of %d ms is negative", st.Name(), st.History())
	}
	s.needsKey("table", st.Name())
	b.own(st, "table "+st.Name())
	n := node{kind: "table", name: st.Name(), stores: []string{st.Name()}, keyed: true}
	id := connect(b, n, s.id, func(w wiring, out *task.Port[update[K, V]]) (func(Record[K, V]) error, error) {
		k := &versionKeeper[K, V]{w: w, view: st.Open(scope{w.t, n}), out: out}
		return k.process, nil
	})
	keys, values := st.Serdes()
	return Table[K, V]{
		b: b, id: id, keys: keys, values: values, history: st.History(),
		read: func(t *task.Task) reader[K, V] { return st.Open(scope{t, n}) },
		asOf: func(t *task.Task) asOfReader[K, V] { return st.Open(scope{t, n}) },
	}
}

// A versionKeeper is the running operator that owns a versioned table's store.
type versionKeeper[K, V any] struct {
	w    wiring
	view *store.VersionedView[K, V]
	out  *task.Port[update[K, V]]
}

// process puts a record where it belongs in time. One that the history does not go back
// to is dropped. The update's old row is the last one, whatever version it changes
// (KIP-914).
func (k *versionKeeper[K, V]) process(r Record[K, V]) error {
	if r.NullKey {
		k.w.t.Drop(task.DropNullKey)
		return nil
	}
	k.w.t.Enter(k.w.id)
	u := update[K, V]{headers: r.Headers}
	u.Key, u.Time = r.Key, r.Time.UnixMilli()
	old, _, ok, err := k.view.Load(r.Key)
	if err != nil {
		return err
	}
	var placed store.Placed
	if r.NullValue {
		placed, _, err = k.view.Remove(r.Key, u.Time)
	} else {
		placed, _, err = k.view.Store(r.Key, r.Value, u.Time)
	}
	if err != nil || placed == store.TooOld {
		return err
	}
	u.set(Opt[V]{old, ok}, Opt[V]{r.Value, !r.NullValue})
	u.past = placed == store.Past
	return k.out.Emit(u)
}
