package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
)

// A Table is a stream of updates together with a way to look up the last value of
// every key. A table that is made from tables has no store of its own: whoever reads
// it computes its rows from theirs. Materialize gives it one.
type Table[K, V any] struct {
	b       *Builder
	id      int                               // emits update[K, V]
	read    func(*task.Task) reader[K, V]     // nil: the rows are kept nowhere
	asOf    func(*task.Task) asOfReader[K, V] // nil: only the last rows are kept
	history int64                             // how far back asOf goes, ms
	emitted func(*task.Task) reader[K, V]     // the rows as far as they have been emitted; nil: as read
	want    func() bool                       // asks for the old values of updates; nil: they are always there if read is
	keys    serde.Serde[K]                    // nil: not known
	values  serde.Serde[V]                    // nil: not known

	closing *closing // of the windows that the keys lie in; nil: not known, or no windows
}

// wantOld asks the table for the old values of its updates. It returns false if they
// cannot be had.
func (t Table[K, V]) wantOld() bool {
	if t.want == nil {
		return t.read != nil
	}
	return t.want()
}

// needRows reports a table whose rows are kept nowhere to who needs them.
func (t Table[K, V]) needRows(what string) {
	if t.read == nil {
		t.b.fail("%s needs the rows of %s, which nothing keeps: Materialize it", what, t.b.nodes[t.id].name)
	}
}

// needSerdes reports a table whose rows cannot be read, or not be encoded, to who
// sends them.
func (t Table[K, V]) needSerdes(what string) {
	if t.read == nil || t.keys == nil || t.values == nil {
		t.b.fail("%s sends the rows of %s, which nothing keeps or no serde is known for: Materialize it", what, t.b.nodes[t.id].name)
	}
}

// An update is one change of a table's row.
type update[K, V any] struct {
	store.Change[K, V]
	headers []Header
	past    bool // it changes a version that is not the last: no reader of last values minds it
}

// values are the row before and after.
func (u *update[K, V]) values() (old, now Opt[V]) {
	return Opt[V]{u.Old, !u.NullOld}, Opt[V]{u.New, !u.NullNew}
}

// set fills in the row before and after.
func (u *update[K, V]) set(old, now Opt[V]) {
	u.Old, u.NullOld, u.New, u.NullNew = old.v, !old.ok, now.v, !now.ok
}

// A reader looks up the rows of a table inside one task.
type reader[K, V any] interface {
	Load(K) (v V, at int64, ok bool, err error)
}

// An asOfReader looks up the rows that a table had at some time.
type asOfReader[K, V any] interface {
	LoadAsOf(k K, at int64) (v V, from int64, ok bool, err error)
}

// A TableOption changes how a table behaves.
type TableOption func(*tableOptions)

type tableOptions struct {
	coalesce bool
	all      *bool // Builder.coalesced: not known before Build
	never    bool  // coalesced
	backed   bool
}

// coalesces reports whether the table emits what a commit makes of its changes. Running
// tables may ask it.
func (o tableOptions) coalesces() bool { return !o.never && (o.coalesce || *o.all) }

// Coalesced makes the table emit each changed key once per commit, with its last
// value, instead of every update.
func Coalesced() TableOption { return func(o *tableOptions) { o.coalesce = true } }

// SourceAsChangelog makes the topic that Builder.Table reads serve as the changelog
// of its store, so that the rows are not kept twice. The topic must be compacted,
// which is checked at start. A restored table stops where the task has read the topic to,
// as do its standby copies, and holds what processing has made of it. The task is refused if this build cannot decode
// the last record of a key; policies that pass over records are, too.
func SourceAsChangelog() TableOption { return func(o *tableOptions) { o.backed = true } }

// Stream returns the table's updates. A deleted row is a null value.
func (t Table[K, V]) Stream() Stream[K, V] {
	id := connect(t.b, node{kind: "to-stream"}, t.id, func(_ wiring, out *task.Port[Record[K, V]]) (func(update[K, V]) error, error) {
		return func(u update[K, V]) error {
			return out.Emit(Record[K, V]{Key: u.Key, Value: u.New, NullValue: u.NullNew, Time: stamp(u.Time), Headers: u.headers})
		}, nil
	})
	return Stream[K, V]{b: t.b, id: id}
}

// Table keeps the last value of each key in st. A null value deletes its key, a
// record without a key is dropped. An update that arrives out of order overwrites
// all the same: the last offset wins. Not so in a versioned store, which puts it where
// it belongs in time; a join of a stream with such a table finds the row of the record's
// time, not the last one.
func (s Stream[K, V]) Table(st store.Rows[K, V], opts ...TableOption) Table[K, V] {
	kv, ok := st.(store.KV[K, V])
	if !ok {
		return s.versions(st.(store.VersionedKV[K, V]), opts)
	}
	return keep(s, "table", kv, opts, func(r Record[K, V], c *store.Change[K, V]) bool {
		c.New, c.NullNew, c.Time = r.Value, r.NullValue, r.Time.UnixMilli()
		return true
	})
}

// Updates takes the stream as the updates of a table whose rows are kept nowhere. It
// can do whatever needs no row but the one that an update brings; Table keeps them.
func (s Stream[K, V]) Updates() Table[K, V] {
	id := connect(s.b, node{kind: "updates"}, s.id, func(w wiring, out *task.Port[update[K, V]]) (func(Record[K, V]) error, error) {
		return func(r Record[K, V]) error {
			if r.NullKey {
				w.t.Drop(task.DropNullKey)
				return nil
			}
			u := update[K, V]{headers: r.Headers}
			u.Key, u.Time = r.Key, r.Time.UnixMilli()
			u.set(None[V](), Opt[V]{r.Value, !r.NullValue})
			return out.Emit(u)
		}, nil
	})
	s.needsKey("updates", s.b.nodes[id].name)
	return Table[K, V]{b: s.b, id: id}
}

// keep adds the operator that owns st. next makes the change that a record
// brings: it is given one that holds the key, the old value and its time, and
// fills in the rest; it returns false for a record without effect.
func keep[K, V, A any](s Stream[K, V], kind string, st store.KV[K, A], opts []TableOption, next func(Record[K, V], *store.Change[K, A]) bool) Table[K, A] {
	o := s.b.tableOptions(opts)
	if o.backed && s.b.backed[st.Name()].Name == "" {
		s.b.fail("table %q: only Builder.Table can have its source topic as changelog", st.Name())
	}
	if most, bounded := st.Most(); bounded {
		if o.never = true; o.backed {
			s.b.fail("table %q has its source topic as changelog, and its store keeps %d entries: what it deletes is in the topic still; keep it in a store.KeyValue, or leave SourceAsChangelog out", st.Name(), most)
		}
	}
	s.needsKey(kind, st.Name())
	s.b.own(st, kind+" "+st.Name())
	n := node{kind: kind, name: st.Name(), stores: []string{st.Name()}, keyed: true}
	id := connect(s.b, n, s.id, func(w wiring, out *task.Port[update[K, A]]) (func(Record[K, V]) error, error) {
		k := &keeper[K, V, A]{w: w, view: st.Open(scope{w.t, n}), out: out, next: next, coalesce: o.coalesces()}
		if k.coalesce {
			w.t.OnFlush(k.flush)
		}
		return k.process, nil
	})
	keys, values := st.Serdes()
	t := Table[K, A]{b: s.b, id: id, keys: keys, values: values, read: func(t *task.Task) reader[K, A] { return st.Open(scope{t, n}) }}
	return inHindsight(t, st.Name(), o)
}

// A keeper is the running operator that owns a table's store.
type keeper[K, V, A any] struct {
	w        wiring
	view     *store.View[K, A]
	out      *task.Port[update[K, A]]
	next     func(Record[K, V], *store.Change[K, A]) bool
	coalesce bool
	u        update[K, A] // the one in hand; kept here so that it need not escape
}

func (k *keeper[K, V, A]) process(r Record[K, V]) error {
	if r.NullKey {
		k.w.t.Drop(task.DropNullKey)
		return nil
	}
	k.w.t.Enter(k.w.id)
	u := &k.u
	old, at, ok, err := k.view.Load(r.Key)
	if err != nil {
		return err
	}
	*u = update[K, A]{Change: store.Change[K, A]{Key: r.Key, Old: old, NullOld: !ok, Time: at}, headers: r.Headers}
	if !k.next(r, &u.Change) {
		return nil
	}
	if u.NullNew {
		err = k.view.Remove(u.Key, u.Time)
	} else {
		err = k.view.Store(u.Key, u.New, u.Time)
	}
	if err != nil || k.coalesce {
		return err
	}
	return k.out.Emit(*u)
}

// flush emits what changed since the last commit.
func (k *keeper[K, V, A]) flush() error {
	return k.view.Changed(func(c store.Change[K, A]) error {
		if c.NullNew && c.NullOld {
			return nil
		}
		return k.out.Emit(update[K, A]{Change: c})
	})
}

// needsKey reports a stream whose key changed since the last topic.
func (s Stream[K, V]) needsKey(what, name string) {
	if s.moved != "" {
		s.b.fail("%s %q needs equal keys in one partition, but %s changed the key: use KeyBy, or Repartition behind it", what, name, s.moved)
	}
}
