package topology

import (
	"context"
	"fmt"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
)

// A GlobalTable is a table that every process keeps whole, whatever its share of the
// tasks is. It can be looked up by any key, from any stream.
type GlobalTable[K, V any] struct {
	b    *Builder
	st   store.KV[K, V]
	made bool // by code: its rows are on no topic
}

// GlobalTable reads all of a topic as a table, kept in st: the last value of each
// key, as Table has it. Every process fills it before it takes a task, and follows
// the topic from then on; it is not aligned in time with what is joined with it. The
// topic is its own changelog: st needs none, and its serdes must read what the topic
// holds. A record that they cannot decode is the decode policy's matter: it stops the
// service, unless its key is written again by the end of what is being read, or it is
// counted and its key has no row, in every process. It is no dead letter.
func (b *Builder) GlobalTable[K, V any](topic Topic[K, V], st store.KV[K, V]) GlobalTable[K, V] {
	topic.key, topic.value = st.Serdes()
	topic.check(b, task.Topic{Name: topic.name}, serde.Reads)
	topic = topic.placed(topic.name, false)
	global(b, st, task.Global{Store: st.Name(), Topic: topic.name, Forms: st.Spec().Serdes.Forms, Row: topic.look()})
	return GlobalTable[K, V]{b: b, st: store.KeyValue(st.Name(), topic.key, topic.value)}
}

// look sees whether the records of t can be read as rows that have no headers; nil if any
// can.
func (t Topic[K, V]) look() func(*task.Message) (task.Row, error) {
	if t.key == nil || t.value == nil || serde.ReadsAny(t.key) && serde.ReadsAny(t.value) {
		return nil
	}
	return func(m *task.Message) (task.Row, error) {
		_, err := t.decodeBytes(m.Key, m.Value)
		if err != nil && t.headed != nil {
			if _, e := t.decode(m.Key, m.Value, m.Headers); e == nil {
				err = fmt.Errorf("%w: it can be with its headers, which a global table does not keep: have its schema named in the value: %w", task.ErrUnskippable, err)
			}
		}
		return task.Row{Key: m.Key, Value: m.Value, Time: m.Time}, err
	}
}

// GlobalStore keeps st whole in every process, as GlobalTable does, and leaves to fill
// what is in it: fill is called for every record of the topic that has a key, null values
// too, with the store as the records before have left it. The records of a partition come
// in order, those of several in any. A row that is written gets the record's timestamp.
//
// What fill does takes effect once for each record, over restarts too. Where local state
// is lost the topic is read from its beginning again, through fill (KIP-813): what it has
// deleted or compacted by then is missing, so that fill should need no more than the last
// record of each key, or the topic be kept for ever. fill is called by one goroutine at a
// time, which is none of a task's: it must not touch what tasks use, has no timers and
// emits nothing. A record that cannot be decoded stops the service, or is counted and not
// handed to fill, as the decode policy says; it is no dead letter. One that fill fails on
// stops the service whatever the policies say: passed over, it would be missing in this
// process alone.
func (b *Builder) GlobalStore[TK, TV, K, V any](topic Topic[TK, TV], st store.KV[K, V], fill func(rows *store.View[K, V], r Record[TK, TV]) error) GlobalTable[K, V] {
	serdes := st.Spec().Serdes
	global(b, st, task.Global{Store: st.Name(), Topic: topic.name, Forms: serdes.Forms, Make: filling(topic, st, fill)})
	topic.check(b, task.Topic{Name: topic.name}, serde.Reads)
	b.checks = append(b.checks, func(ctx context.Context, app string) error {
		return at("global store "+st.Name(), serdes.Start(ctx, task.Changelog(app, st.Name())))
	})
	return GlobalTable[K, V]{b: b, st: st, made: true}
}

// global declares a store that every process keeps whole.
func global[K, V any](b *Builder, st store.KV[K, V], g task.Global) {
	b.checkName("topic", g.Topic)
	b.checkName("store", g.Store)
	b.claim(g.Store, "global table "+g.Store)
	if most, bounded := st.Most(); bounded {
		b.fail("global table %q: a global table is whole, and its store keeps %d entries: describe it by store.KeyValue", g.Store, most)
	}
	b.globals = append(b.globals, g)
}

// filling makes rows of a topic's records.
func filling[TK, TV, K, V any](topic Topic[TK, TV], st store.KV[K, V], fill func(*store.View[K, V], Record[TK, TV]) error) func(*state.Store, string) func(*task.Message) error {
	return func(rows *state.Store, app string) func(*task.Message) error {
		topic, s := topic.placed(topic.name, false), &wholeScope{rows: rows, app: app}
		view := st.Open(s)
		return func(m *task.Message) error {
			r, err := topic.decode(m.Key, m.Value, m.Headers)
			if err != nil {
				return err
			}
			r.Time, s.now = stamp(m.Time), m.Time
			if err := fill(view, r); err != nil {
				return fmt.Errorf("%w: %w", task.ErrUnskippable, err)
			}
			return nil
		}
	}
}

// A wholeScope is where the store of a global table is opened to be filled.
type wholeScope struct {
	rows *state.Store
	app  string
	now  int64 // ms: the time of the record in hand
}

func (s *wholeScope) OpenStore(string) *state.Store { return s.rows }
func (s *wholeScope) ReadStore(string) *state.Store { return s.rows }
func (s *wholeScope) Now() int64                    { return s.now }
func (s *wholeScope) Late()                         {}
func (s *wholeScope) Changelog(name string) string  { return task.Changelog(s.app, name) }

// Name is the name of the table's store.
func (g GlobalTable[K, V]) Name() string { return g.st.Name() }

// Open returns a view of the table for the goroutine that calls it. s is a processor's
// context, or a test driver.
func (g GlobalTable[K, V]) Open(s GlobalScope) *store.ReadOnly[K, V] {
	st, name := g.st, g.st.Name()
	if g.made {
		key, value := st.Serdes()
		at := serde.Place{Topic: s.Changelog(name), Part: serde.Key, Internal: true}
		key, at.Part = serde.At(key, at), serde.Value
		st = store.KeyValue(name, key, serde.At(value, at))
	}
	return st.OpenShared(s.OpenGlobal(name))
}

// A GlobalScope is where a global table can be opened. Only leat implements it.
type GlobalScope interface {
	// OpenGlobal returns the bytes of the table's store.
	OpenGlobal(name string) *state.Shared
	// Changelog is where the rows of the store called name would be, if they were on a
	// topic.
	Changelog(name string) string
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
	n := node{kind: kind, globals: []string{right.Name()}, relaxed: j == left}
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
