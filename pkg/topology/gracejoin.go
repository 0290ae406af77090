package topology

import (
	"bytes"
	"math"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/store"
)

// A JoinTableOption changes how a stream of K and V joins a table.
type JoinTableOption[K, V any] func(*joinTableOptions[K, V])

type joinTableOptions[K, V any] struct {
	grace time.Duration
	queue *store.QueueStore[K, V] // nil: records are joined as they come
}

// Grace makes the stream's records wait in st until stream time, that of the records
// which are joined, is d past theirs, so that the table's updates of the same time can
// come first, be they a little late. Then they are joined in the order of their times. A
// record that comes later than that itself is joined at once. The table must be
// versioned (KIP-923).
func Grace[K, V any](d time.Duration, st store.QueueStore[K, V]) JoinTableOption[K, V] {
	return func(o *joinTableOptions[K, V]) { o.grace, o.queue = d, &st }
}

// graced makes the node of a join one whose records wait in a queue.
func graced[K, V, R any](s Stream[K, V], right Table[K, R], n node, o joinTableOptions[K, V]) node {
	b, name := s.b, o.queue.Join()
	switch {
	case right.asOf == nil:
		b.fail("%s %q has a grace period, and %s keeps only the last rows: keep it in a versioned store", n.kind, name, b.nodes[right.id].name)
	case o.grace < 0:
		b.fail("%s %q: a grace period of %v is negative", n.kind, name, o.grace)
	case o.grace.Milliseconds() > right.history:
		b.fail("%s %q has a grace period of %d ms, and the history of %s goes back %d ms: make it as long", n.kind, name, o.grace.Milliseconds(), b.nodes[right.id].name, right.history)
	}
	b.own(*o.queue, n.kind+" "+name)
	n.name, n.stores = name, []string{o.queue.Name()}
	return n
}

// A gracer is what makes the records of a running join wait.
type gracer[K, V any] struct {
	w     wiring
	view  *store.QueueView[K, V]
	grace int64
	next  *task.NodeTime // no record in the queue is earlier; unknown: there is none
	join  func(Record[K, V]) error
}

func newGracer[K, V any](w wiring, n node, o joinTableOptions[K, V], join func(Record[K, V]) error) (*gracer[K, V], error) {
	g := &gracer[K, V]{w: w, view: o.queue.Open(scope{w.t, n}), grace: o.grace.Milliseconds(), next: w.t.NodeTime(n.name + leastSuffix), join: join}
	first, err := g.view.First()
	g.expect(first)
	return g, err
}

// expect says when the first record in the queue is.
func (g *gracer[K, V]) expect(first int64) {
	if first == math.MaxInt64 {
		g.next.Forget()
		return
	}
	g.next.Set(first)
}

// process puts a record into the queue, and joins those whose time has come. What
// finds no row in any case does not wait.
func (g *gracer[K, V]) process(r Record[K, V]) error {
	at := r.Time.UnixMilli()
	if r.NullKey || r.NullValue || g.view.Observed() > at+g.grace {
		return g.join(r)
	}
	g.w.t.Enter(g.w.id)
	if err := g.view.Add(r.Key, r.Value, g.context(&r)); err != nil {
		return err
	}
	next, some := g.next.At()
	if !some || at < next {
		next = at
		g.next.Set(at)
	}
	until := g.view.Observed() - g.grace
	if next > until {
		return nil
	}
	next, err := g.view.Release(next, until, at, func(k K, v V, c wire.Context) error {
		r := Record[K, V]{Key: k, Value: v, Time: stamp(c.Time)}
		for _, h := range c.Headers {
			r.Headers = append(r.Headers, Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		was := g.w.t.SetOrigin(task.Origin{Topic: c.Topic, Partition: c.Partition, Offset: c.Offset})
		err := g.join(r)
		g.w.t.SetOrigin(was)
		return err
	})
	g.expect(next)
	return err
}

// context is where the record in hand came from.
func (g *gracer[K, V]) context(r *Record[K, V]) wire.Context {
	c := wire.Context{Time: r.Time.UnixMilli(), Partition: g.w.t.Partition(), Offset: -1}
	if from, ok := g.w.t.Origin(); ok {
		c.Topic, c.Partition, c.Offset = from.Topic, from.Partition, from.Offset
	}
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, wire.Header(h))
	}
	return c
}
