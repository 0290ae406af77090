package topology

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/leatstream/leat/internal/murmur"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
)

// A Subscription names what a foreign-key join needs between its two tables: the
// topic by which left rows ask for right ones, the topic that brings the answers, and
// the store in which the right side keeps who asks for what.
type Subscription struct {
	registration, response, store string
}

// NewSubscription returns the names <name>-subscription-registration-topic,
// <name>-subscription-response-topic and <name>-subscription-store.
func NewSubscription(name string) Subscription {
	return Subscription{
		registration: name + "-subscription-registration-topic",
		response:     name + "-subscription-response-topic",
		store:        name + "-subscription-store",
	}
}

// Topics returns a copy of s with other topics: the application's name and a dash
// come before both.
func (s Subscription) Topics(registration, response string) Subscription {
	s.registration, s.response = registration, response
	return s
}

// Store returns a copy of s with another store.
func (s Subscription) Store(name string) Subscription {
	s.store = name
	return s
}

// JoinForeign is the table of fn(k, v, row) for every row of t whose foreign key, as
// key returns it, is in right. An update of either side is one of the result. The
// tables need not be partitioned alike. Nothing keeps the result: Materialize does.
func (t Table[K, V]) JoinForeign[FK, R, O any](right Table[FK, R], via Subscription, key func(K, V) Opt[FK], fn func(k K, v V, row R) O, opts ...ForeignOption[FK]) Table[K, O] {
	return foreign(t, right, via, foreignJoin[K, V, FK, R, O]{inner, key, func(k K, v V, row Opt[R]) O { return fn(k, v, row.v) }, opts})
}

// LeftJoinForeign is JoinForeign for every row of t, whether right has its foreign key
// or not, or if it has none.
func (t Table[K, V]) LeftJoinForeign[FK, R, O any](right Table[FK, R], via Subscription, key func(K, V) Opt[FK], fn func(k K, v V, row Opt[R]) O, opts ...ForeignOption[FK]) Table[K, O] {
	return foreign(t, right, via, foreignJoin[K, V, FK, R, O]{left, key, fn, opts})
}

// A ForeignOption changes how a table is joined with one whose keys are of type FK.
type ForeignOption[FK any] func(*foreignOptions[FK])

type foreignOptions[FK any] struct {
	place func(key FK, partitions int32) int32 // nil: by the bytes of the key
}

// RightPartitionedBy says in which partition of the right table the row of a key is, for
// a table whose topic is not partitioned by the bytes of its keys (KIP-775). The answers
// go to the partition that asked, however the left table is partitioned.
func RightPartitionedBy[FK any](p func(key FK, partitions int32) int32) ForeignOption[FK] {
	return func(o *foreignOptions[FK]) { o.place = p }
}

// A foreignJoin is what the author says of one.
type foreignJoin[K, V, FK, R, O any] struct {
	kind joinKind
	key  func(K, V) Opt[FK]
	fn   func(K, V, Opt[R]) O
	opts []ForeignOption[FK]
}

// foreign adds the nodes of a foreign-key join:
//
//	left table -> subscriber -> registration topic -> publisher <- right table
//	left table -> resolver   <- response topic     <- publisher
func foreign[K, V, FK, R, O any](t Table[K, V], right Table[FK, R], via Subscription, j foreignJoin[K, V, FK, R, O]) Table[K, O] {
	b := t.b
	if b != right.b {
		b.fail("foreign-key join of tables from two builders")
		return Table[K, O]{b: b, id: t.id}
	}
	t.needSerdes("foreign-key join")
	right.needSerdes("foreign-key join")
	t.wantOld()
	var o foreignOptions[FK]
	for _, opt := range j.opts {
		opt(&o)
	}
	connect(b, node{kind: "subscribe", topic: task.Topic{Name: via.registration, Internal: true}}, t.id,
		func(w wiring, _ *task.Port[struct{}]) (func(update[K, V]) error, error) {
			s := &subscriber[K, V, FK]{w: w, kind: j.kind, topic: resolve(w, via.registration), keyOf: j.key, place: o.place}
			s.key, s.value, s.foreign = via.leftKeys(t.keys, w.t.App()), via.leftValues(t.values, w.t.App()), via.foreignKeys(right.keys, w.t.App())
			return s.process, nil
		})
	checkForeign(t, right, via)
	publish(b, t.keys, right, via)
	n := node{kind: j.kind.String() + "-foreign-join", parents: []int{b.internal(via.response), t.id}, keyed: true}
	n.open = func(w wiring) error {
		r := &resolver[K, V, FK, R, O]{w: w, join: j, out: task.Outlet[update[K, O]](w.t, w.id), rows: t.readEmitted(w.t)}
		r.key, r.value, r.foreign = via.leftKeys(t.keys, w.t.App()), via.leftValues(t.values, w.t.App()), via.rightValues(right.values, w.t.App())
		task.Outlet[*task.Message](w.t, w.parents[0]).Subscribe(r.process)
		return nil
	}
	return Table[K, O]{b: b, id: b.add(n), keys: t.keys}
}

func resolve(w wiring, name string) string { return internalTopic(w.t.App(), name) }

func internalTopic(app, name string) string {
	return task.Topic{Name: name, Internal: true}.Resolve(app)
}

// The serdes of a foreign-key join, for where they are used. The keys and values of left
// rows are encoded as of topics that there are not, which is how Kafka Streams calls
// them: the registration topic's own keys are foreign ones, and of the values it has but
// the hash.
func (s Subscription) leftKeys[K any](keys serde.Serde[K], app string) serde.Serde[K] {
	return internalAt(keys, internalTopic(app, s.registration)+"-pk", serde.Key)
}

func (s Subscription) leftValues[V any](values serde.Serde[V], app string) serde.Serde[V] {
	return internalAt(values, internalTopic(app, s.registration)+"-vh", serde.Value)
}

func (s Subscription) foreignKeys[FK any](keys serde.Serde[FK], app string) serde.Serde[FK] {
	return internalAt(keys, internalTopic(app, s.registration), serde.Key)
}

func (s Subscription) rightValues[R any](values serde.Serde[R], app string) serde.Serde[R] {
	return internalAt(values, internalTopic(app, s.response), serde.Value)
}

// checkForeign has the serdes of a join checked.
func checkForeign[K, V, FK, R any](t Table[K, V], right Table[FK, R], via Subscription) {
	if t.keys == nil || t.values == nil || right.keys == nil || right.values == nil {
		return // Build says so
	}
	t.b.check("foreign-key join "+via.registration, serde.Reads|serde.Writes, func(app string) []any {
		return []any{via.leftKeys(t.keys, app), via.foreignKeys(right.keys, app), via.rightValues(right.values, app)}
	})
	t.b.check("foreign-key join "+via.registration, serde.Writes, func(app string) []any {
		return []any{via.leftValues(t.values, app)}
	})
}

// internal adds a source that hands on the undecoded records of an internal topic.
func (b *Builder) internal(name string) int {
	topic := task.Topic{Name: name, Internal: true}
	b.checkName("topic", name)
	if _, taken := b.sources[topic.Resolve("")]; taken {
		b.fail("internal topic %q is used twice: give each join its own names", name)
	}
	id := b.add(node{kind: "source", name: name, topic: topic, open: func(w wiring) error {
		out := task.Outlet[*task.Message](w.t, w.id)
		w.t.Feed(w.source, out.Emit)
		return nil
	}})
	b.sources[topic.Resolve("")] = source{id, task.Source{Topic: topic, Node: name}, nil}
	return id
}

// A subscriber tells the right side which of its rows the left rows ask for.
type subscriber[K, V, FK any] struct {
	w       wiring
	kind    joinKind
	topic   string
	keyOf   func(K, V) Opt[FK]
	place   func(FK, int32) int32
	key     serde.Serde[K]
	value   serde.Serde[V]
	foreign serde.Serde[FK]
}

func (s *subscriber[K, V, FK]) process(u update[K, V]) error {
	if u.past {
		s.w.t.Drop(task.DropPast)
		return nil
	}
	s.w.t.Enter(s.w.id)
	old, now := u.values()
	was, err := s.foreignKey(u.Key, old)
	if err != nil {
		return s.w.t.Lose(err)
	}
	is, err := s.foreignKey(u.Key, now)
	if err != nil {
		return s.w.t.Lose(err)
	}
	switch {
	case !old.ok && !now.ok:
		return nil
	case s.kind == left:
		return s.change(&u, was, is, wire.Answer)
	case is != nil && was == nil, is != nil && bytes.Equal(was, is):
		return s.send(&u, is, wire.AnswerIfFound)
	case is != nil:
		return s.change(&u, was, is, wire.Answer)
	}
	if now.ok {
		s.w.t.Drop(task.DropNullKey)
	}
	if was == nil {
		return nil
	}
	return s.send(&u, was, wire.UnsubscribeAndAnswer)
}

// change ends the old subscription, if it was another, and makes the new one, which
// of a left join may be to nothing: it is answered all the same.
func (s *subscriber[K, V, FK]) change(u *update[K, V], was, is []byte, in wire.Instruction) error {
	if was != nil && (is == nil || !bytes.Equal(was, is)) {
		if err := s.send(u, was, wire.Unsubscribe); err != nil {
			return err
		}
	}
	return s.send(u, is, in)
}

// foreignKey returns the encoded foreign key of a row; nil if there is none.
func (s *subscriber[K, V, FK]) foreignKey(k K, v Opt[V]) ([]byte, error) {
	if !v.ok {
		return nil, nil
	}
	fk, ok := s.keyOf(k, v.v).Get()
	if !ok {
		return nil, nil
	}
	a := s.w.t.Arena()
	b, err := s.foreign.Append(a.Tail(), fk)
	if err != nil {
		return nil, err
	}
	return take(a, b), nil
}

func (s *subscriber[K, V, FK]) send(u *update[K, V], foreign []byte, in wire.Instruction) error {
	sub := wire.Subscription{Instruction: in, Partition: s.w.t.Partition()}
	var err error
	if sub.Key, err = s.key.Append([]byte{}, u.Key); err != nil {
		return s.w.t.Lose(err)
	}
	if !u.NullNew {
		value, err := s.value.Append([]byte{}, u.New)
		if err != nil {
			return s.w.t.Lose(err)
		}
		sub.Hash = wire.HashOf(value)
	}
	a := s.w.t.Arena()
	o := task.Output{Topic: s.topic, Partition: task.ByKey, Key: foreign, Time: u.Time, Headers: u.headers}
	o.Value = a.Take(wire.AppendSubscription(a.Tail(), sub))
	if foreign != nil {
		if o.Partition, err = s.partition(foreign); err != nil {
			return s.w.t.Lose(err)
		}
	}
	if err := s.w.t.Send(o); err != nil {
		return s.w.t.Lose(err)
	}
	return nil
}

// partition is where the right side has the row of a foreign key: that of a window, where
// its key is.
func (s *subscriber[K, V, FK]) partition(foreign []byte) (int32, error) {
	router, windowed := s.foreign.(serde.Router)
	if s.place == nil && !windowed {
		return task.ByKey, nil
	}
	n, err := s.w.t.Partitions(s.topic)
	if err != nil {
		return 0, err
	}
	if s.place == nil {
		return murmur.Partition(router.Route(foreign), n), nil
	}
	fk, err := s.foreign.Decode(foreign)
	if err != nil {
		return 0, err
	}
	p := s.place(fk, n)
	if p < 0 || p >= n {
		return 0, fmt.Errorf("partition %d was chosen for topic %q, which has %d", p, s.topic, n)
	}
	return p, nil
}

// publish adds the right side of a foreign-key join.
func publish[K, FK, R any](b *Builder, left serde.Serde[K], right Table[FK, R], via Subscription) {
	registrations := b.internal(via.registration)
	var at func(changelog string) (serde.Serde[FK], serde.Serde[K])
	if left != nil && right.keys != nil { // else Build says so
		at = func(changelog string) (serde.Serde[FK], serde.Serde[K]) {
			app := strings.TrimSuffix(changelog, task.Changelog("", via.store))
			return via.foreignKeys(right.keys, app), via.leftKeys(left, app)
		}
	}
	st := store.SubscriptionStore(via.store, at)
	b.own(st, "foreign-key join "+via.store)
	n := node{kind: "publish", name: via.store, parents: []int{registrations, right.id}, stores: []string{via.store}, keyed: true,
		topic: task.Topic{Name: via.response, Internal: true}}
	n.open = func(w wiring) error {
		p := &publisher[FK, R]{w: w, topic: resolve(w, via.response), rows: right.readEmitted(w.t), kept: st.Open(scope{w.t, n})}
		p.key, p.value = via.foreignKeys(right.keys, w.t.App()), via.rightValues(right.values, w.t.App())
		task.Outlet[update[FK, R]](w.t, w.parents[1]).Subscribe(p.update)
		task.Outlet[*task.Message](w.t, w.parents[0]).Subscribe(p.register)
		return nil
	}
	b.add(n)
}

// A publisher answers subscriptions, and answers them again when the row changes.
type publisher[FK, R any] struct {
	w     wiring
	topic string
	rows  reader[FK, R]
	kept  *store.View[[]byte, []byte]
	key   serde.Serde[FK]
	value serde.Serde[R]
	buf   []byte
}

// register takes a subscription.
func (p *publisher[FK, R]) register(m *task.Message) error {
	p.w.t.Enter(p.w.id)
	s, err := wire.ParseSubscription(m.Value)
	if err != nil {
		return p.w.t.Lose(err)
	}
	if m.Key == nil && s.Instruction != wire.Answer {
		p.w.t.Drop(task.DropNullKey)
		return nil
	}
	value, at, err := p.keep(m, s)
	if err != nil {
		return p.w.t.Lose(err)
	}
	switch {
	case s.Instruction == wire.Unsubscribe, s.Instruction == wire.AnswerIfFound && value == nil:
		return nil
	case s.Instruction == wire.UnsubscribeAndAnswer:
		value = nil
	}
	return p.answer(s, value, task.Output{Time: max(m.Time, at), Headers: m.Headers})
}

// keep stores or removes a subscription, and returns the encoded row that it asks for,
// nil if there is none.
func (p *publisher[FK, R]) keep(m *task.Message, s wire.Subscription) (value []byte, at int64, err error) {
	if m.Key == nil {
		return nil, 0, nil
	}
	p.buf = wire.AppendSubscriptionKey(p.buf[:0], m.Key, s.Key)
	if s.Instruction == wire.Unsubscribe || s.Instruction == wire.UnsubscribeAndAnswer {
		err = p.kept.Remove(p.buf, m.Time)
	} else {
		err = p.kept.Store(p.buf, m.Value, m.Time)
	}
	if err != nil {
		return nil, 0, err
	}
	foreign, err := p.key.Decode(m.Key)
	if err != nil {
		return nil, 0, err
	}
	row, at, ok, err := p.rows.Load(foreign)
	if err != nil || !ok {
		return nil, 0, err
	}
	value, err = p.value.Append([]byte{}, row)
	return value, at, err
}

// update answers everybody who asks for a row that has changed.
func (p *publisher[FK, R]) update(u update[FK, R]) error {
	if u.past {
		p.w.t.Drop(task.DropPast)
		return nil
	}
	p.w.t.Enter(p.w.id)
	foreign, err := p.key.Append([]byte{}, u.Key)
	if err != nil {
		return p.w.t.Lose(err)
	}
	var value []byte
	if !u.NullNew {
		if value, err = p.value.Append([]byte{}, u.New); err != nil {
			return p.w.t.Lose(err)
		}
	}
	prefix := wire.AppendSubscriptionKey(nil, foreign, nil)
	for e, err := range p.kept.Range(prefix, after(prefix)) {
		if err != nil {
			return p.w.t.Lose(err)
		}
		s, err := wire.ParseSubscription(e.Value)
		if err != nil {
			return p.w.t.Lose(err)
		}
		if err := p.answer(s, value, task.Output{Time: u.Time, Headers: u.headers}); err != nil {
			return err
		}
	}
	return nil
}

// after is the first key that does not begin with prefix, which does not consist of
// 0xff alone: it begins with a length.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// answer sends a row to the partition of the left row that asked for it.
func (p *publisher[FK, R]) answer(s wire.Subscription, value []byte, o task.Output) error {
	a := p.w.t.Arena()
	o.Topic, o.Partition = p.topic, task.ByKey
	if s.Partition >= 0 {
		o.Partition = s.Partition
	}
	o.Key = a.Copy(s.Key)
	o.Value = a.Take(wire.AppendResponse(a.Tail(), s.Hash, value))
	if err := p.w.t.Send(o); err != nil {
		return p.w.t.Lose(err)
	}
	return nil
}

// A resolver joins the answers with the left rows, unless these have changed since
// they asked.
type resolver[K, V, FK, R, O any] struct {
	w       wiring
	join    foreignJoin[K, V, FK, R, O]
	out     *task.Port[update[K, O]]
	rows    reader[K, V]
	key     serde.Serde[K]
	value   serde.Serde[V]
	foreign serde.Serde[R]
	buf     []byte
}

func (r *resolver[K, V, FK, R, O]) process(m *task.Message) error {
	r.w.t.Enter(r.w.id)
	k, err := r.key.Decode(m.Key)
	if err != nil {
		return r.w.t.Lose(err)
	}
	asked, raw, err := wire.ParseResponse(m.Value)
	if err != nil {
		return r.w.t.Lose(err)
	}
	v, ok, hash, err := r.row(k)
	if err != nil {
		return err
	}
	if hash != asked {
		r.w.t.Drop(task.DropStale)
		return nil
	}
	var row Opt[R]
	if raw != nil {
		row.ok = true
		if row.v, err = r.foreign.Decode(raw); err != nil {
			return r.w.t.Lose(err)
		}
	}
	u := update[K, O]{headers: m.Headers}
	u.Key, u.Time = k, m.Time
	var now Opt[O]
	if ok && (row.ok || r.join.kind == left) {
		now = Some(r.join.fn(k, v, row))
	}
	u.set(None[O](), now)
	return r.out.Emit(u)
}

// row is the left row and the hash of its value.
func (r *resolver[K, V, FK, R, O]) row(k K) (v V, ok bool, h wire.Hash, err error) {
	v, _, ok, err = r.rows.Load(k)
	if err != nil || !ok {
		return v, false, h, err
	}
	if r.buf, err = r.value.Append(r.buf[:0], v); err != nil {
		return v, false, h, err
	}
	return v, true, wire.HashOf(r.buf), nil
}
