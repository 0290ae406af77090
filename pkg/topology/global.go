package topology

import (
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
)

// A GlobalTable is a table that every process keeps whole, whatever its share of the
// tasks is. It can be looked up by any key, from any stream.
type GlobalTable[K, V any] struct {
	b  *Builder
	st store.KV[K, V]
}

// GlobalTable reads all of a topic as a table, kept in st: the last value of each
// key, as Table has it. Every process fills it before it takes a task, and follows
// the topic from then on; it is not aligned in time with what is joined with it. The
// topic is its own changelog: st needs none, and its serdes must read what the topic
// holds.
func (b *Builder) GlobalTable[K, V any](topic Topic[K, V], st store.KV[K, V]) GlobalTable[K, V] {
	b.checkName("topic", topic.name)
	b.checkName("store", st.Name())
	b.claim(st.Name(), "global table "+st.Name())
	if most, bounded := st.Most(); bounded {
		b.fail("global table %q: a global table is whole, and its store keeps %d entries: describe it by store.KeyValue", st.Name(), most)
	}
	b.globals = append(b.globals, task.Global{Store: st.Name(), Topic: topic.name, Forms: st.Spec().Serdes.Forms})
	topic.key, topic.value = st.Serdes()
	topic.check(b, task.Topic{Name: topic.name}, serde.Reads)
	topic = topic.placed(topic.name, false)
	return GlobalTable[K, V]{b, store.KeyValue(st.Name(), topic.key, topic.value)}
}

// Name is the name of the table's store.
func (g GlobalTable[K, V]) Name() string { return g.st.Name() }

// Open returns a view of the table for the goroutine that calls it. s is a processor's
// context, or a test driver.
func (g GlobalTable[K, V]) Open(s GlobalScope) *store.ReadOnly[K, V] {
	return g.st.OpenShared(s.OpenGlobal(g.st.Name()))
}

// A GlobalScope is where a global table can be opened. Only leat implements it.
type GlobalScope interface {
	// OpenGlobal returns the bytes of the table's store.
	OpenGlobal(name string) *state.Shared
}

// OpenGlobal returns the bytes of a global table. It serves GlobalTable.Open.
func (s scope) OpenGlobal(name string) *state.Shared { return s.t.Global(name) }

// JoinGlobal emits fn(k, v, row) for every record whose row, at the key that key
// returns for it, is in the table at that moment. The record's own key does not
// matter, and stays. Records without a value, and those for which key returns None,
// are dropped.
func (s Stream[K, V]) JoinGlobal[GK, R, O any](right GlobalTable[GK, R], key func(K, V) Opt[GK], fn func(k K, v V, row R) O) Stream[K, O] {
	return lookupGlobal(s, right, inner, key, func(k K, v V, row Opt[R]) O { return fn(k, v, row.v) })
}

// LeftJoinGlobal is JoinGlobal that emits for every record which has a value, whether
// there is a row, or a key, or not.
func (s Stream[K, V]) LeftJoinGlobal[GK, R, O any](right GlobalTable[GK, R], key func(K, V) Opt[GK], fn func(k K, v V, row Opt[R]) O) Stream[K, O] {
	return lookupGlobal(s, right, left, key, fn)
}

func lookupGlobal[K, V, GK, R, O any](s Stream[K, V], right GlobalTable[GK, R], j joinKind, key func(K, V) Opt[GK], fn func(K, V, Opt[R]) O) Stream[K, O] {
	kind := j.String() + "-global-join"
	if s.b != right.b {
		s.b.fail("%s of a stream and a global table from two builders", kind)
		return Stream[K, O](s)
	}
	n := node{kind: kind, globals: []string{right.Name()}}
	id := connect(s.b, n, s.id, func(w wiring, out *task.Port[Record[K, O]]) (func(Record[K, V]) error, error) {
		rows := right.Open(scope{w.t, n})
		return func(r Record[K, V]) error {
			if r.NullValue {
				w.t.Drop(task.DropNullValue)
				return nil
			}
			w.t.Enter(w.id)
			var row Opt[R]
			at, found := key(r.Key, r.Value).Get()
			if found {
				var err error
				if row.v, row.ok, err = rows.Get(at); err != nil {
					return err
				}
			} else if j == inner {
				w.t.Drop(task.DropNullKey)
			}
			if !row.ok && j == inner {
				return nil
			}
			o := Record[K, O]{Key: r.Key, NullKey: r.NullKey, Time: r.Time, Headers: r.Headers}
			o.Value = fn(r.Key, r.Value, row)
			return out.Emit(o)
		}, nil
	})
	return Stream[K, O]{b: s.b, id: id, moved: s.moved}
}
