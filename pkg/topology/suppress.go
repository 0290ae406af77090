package topology

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// A Suppression says how long the updates of a table are held back.
type Suppression[K, V any] struct {
	buffer store.BufferStore[K, V]
	wait   int64                             // ms of stream time
	from   func(*update[K, V]) int64         // when the waiting begins
	closes func(*Builder, Table[K, V]) int64 // finds wait; nil: it is known
	final  bool                              // a key has one update, and a deletion is none
}

// UntilTimeLimit holds a key's update back until stream time is d past it. Later
// updates take its place meanwhile, and do not have to wait longer for that.
func UntilTimeLimit[K, V any](d time.Duration, buffer store.BufferStore[K, V]) Suppression[K, V] {
	return Suppression[K, V]{buffer: buffer, wait: d.Milliseconds(), from: func(u *update[K, V]) int64 { return u.Time }}
}

// UntilWindowCloses holds the updates of a window back until it has closed, and lets
// the last one go: the window's only result. Windows that were deleted before they
// closed are not heard of. The buffer must hold them all: it may be limited only if it
// stops the service when it is full.
func UntilWindowCloses[K, V any](buffer store.BufferStore[window.Windowed[K], V]) Suppression[window.Windowed[K], V] {
	s := Suppression[window.Windowed[K], V]{buffer: buffer, final: true, from: func(u *update[window.Windowed[K], V]) int64 { return u.Key.End }}
	s.closes = func(b *Builder, t Table[window.Windowed[K], V]) int64 {
		if limit, stops := buffer.Limits(); !stops && limit != (store.Fill{Records: math.MaxInt64, Bytes: math.MaxInt64}) {
			b.fail("suppression %q waits for final results, which may not be let go early when its buffer is full: add StopWhenFull, or take the limits away", buffer.Name())
		}
		switch {
		case t.closing == nil:
			b.fail("suppression %q waits until windows close, but %s does not come from a windowed aggregation: suppress the table that the aggregation gives, or use UntilTimeLimit", buffer.Name(), b.nodes[t.id].name)
			return 0
		case t.closing.never:
			b.fail("suppression %q waits until windows close, but those of %s never end: use UntilTimeLimit", buffer.Name(), b.nodes[t.id].name)
		}
		return t.closing.grace
	}
	return s
}

// A closing is how the windows of a table's keys close.
type closing struct {
	grace int64 // ms of stream time after their end
	never bool
}

// and is how the windows of a join close: when those of both sides have, or it is not
// known.
func (c *closing) and(other *closing) *closing {
	if c == nil || other == nil {
		return nil
	}
	return &closing{max(c.grace, other.grace), c.never || other.never}
}

// A BufferFullError stops the service: a suppression's buffer that must not let
// anything go early holds more than it may.
type BufferFullError struct {
	Buffer      string
	Holds, Most store.Fill // math.MaxInt64: no limit
}

func (e *BufferFullError) Error() string {
	of := func(n, most int64) string {
		if most == math.MaxInt64 {
			return fmt.Sprint(n)
		}
		return fmt.Sprintf("%d of %d", n, most)
	}
	return fmt.Sprintf("the buffer of suppression %q is full: it holds %s records, %s bytes; raise MaxRecords or MaxBytes, or shorten what it waits for",
		e.Buffer, of(e.Holds.Records, e.Most.Records), of(e.Holds.Bytes, e.Most.Bytes))
}

// Suppress holds updates back. Only records that come here let them go: without input
// nothing does. What is held back is kept in s's buffer, and survives restarts; a
// reader of the table's rows sees those that were let go.
func (t Table[K, V]) Suppress(s Suppression[K, V]) Table[K, V] {
	st := s.buffer
	if s.closes != nil {
		s.wait = s.closes(t.b, t)
	}
	if s.wait < 0 {
		t.b.fail("suppression %q: a wait of %d ms is negative", st.Name(), s.wait)
	}
	if t.asOf != nil {
		t.b.fail("suppression %q: of %s, which keeps versions, a change of an old one cannot be held back: Materialize it without", st.Name(), t.b.nodes[t.id].name)
	}
	t.wantOld()
	t.b.own(st, "suppress "+st.Name())
	n := node{kind: "suppress", name: st.Name(), stores: []string{st.Name()}}
	id := connect(t.b, n, t.id, func(w wiring, out *task.Port[update[K, V]]) (func(update[K, V]) error, error) {
		p := &suppressor[K, V]{
			w: w, view: st.Open(scope{w.t, n}), out: out, s: s, now: w.t.NodeTime(n.name + nowSuffix),
			next: w.t.Tally(math.MinInt64), records: w.t.Tally(0), bytes: w.t.Tally(0),
		}
		return p.process, p.count()
	})
	held := Table[K, V]{b: t.b, id: id, want: t.wantOld, keys: t.keys, values: t.values, closing: t.closing}
	if t.read != nil {
		held.read = func(tk *task.Task) reader[K, V] { return suppressed[K, V]{st.Open(scope{tk, n}), t.read(tk)} }
		held.emitted = func(tk *task.Task) reader[K, V] { return suppressed[K, V]{st.Open(scope{tk, n}), t.readEmitted(tk)} }
	}
	return held
}

// A suppressor is the running operator that owns a suppression's buffer.
type suppressor[K, V any] struct {
	w       wiring
	view    *store.BufferView[K, V]
	out     *task.Port[update[K, V]]
	s       Suppression[K, V]
	now     *task.NodeTime // the greatest timestamp that came here
	next    *task.Tally    // nothing in the buffer is due earlier
	records *task.Tally    // in the buffer, if that is limited
	bytes   *task.Tally
	most    store.Fill
	stops   bool

	u       update[K, V] // the one in hand; kept here so that it need not escape
	context []byte       // where it came from
	headers []wire.Header
}

// count finds out what the buffer holds, if that matters.
func (p *suppressor[K, V]) count() error {
	p.most, p.stops = p.s.buffer.Limits()
	if p.most.Records == math.MaxInt64 && p.most.Bytes == math.MaxInt64 {
		return nil
	}
	f, err := p.view.Fill()
	p.records.N, p.bytes.N = f.Records, f.Bytes
	return err
}

func (p *suppressor[K, V]) process(in update[K, V]) error {
	p.u = in
	u := &p.u
	if u.past {
		p.w.t.Drop(task.DropPast)
		return nil
	}
	p.w.t.Enter(p.w.id)
	until := p.now.Advance(u.Time) - p.s.wait
	due, grown, err := p.view.Put(store.Buffered[K, V]{Change: u.Change, Context: p.origin(u)}, p.s.from(u))
	if err != nil {
		return err
	}
	p.records.N += grown.Records
	p.bytes.N += grown.Bytes
	p.next.N = min(p.next.N, due)
	if until < p.next.N && !p.over() {
		return nil
	}
	p.next.N, err = p.view.Release(
		func(due int64) bool { return due <= until || !p.stops && p.over() },
		p.emit,
		func(f store.Fill) { p.records.N, p.bytes.N = p.records.N-f.Records, p.bytes.N-f.Bytes })
	if err == nil && p.over() {
		err = p.w.t.Lose(&BufferFullError{p.s.buffer.Name(), store.Fill{Records: p.records.N, Bytes: p.bytes.N}, p.most})
	}
	return err
}

// over reports whether the buffer holds more than it may.
func (p *suppressor[K, V]) over() bool {
	return p.records.N > p.most.Records || p.bytes.N > p.most.Bytes
}

// origin says where an update came from, as the buffer keeps it.
func (p *suppressor[K, V]) origin(u *update[K, V]) []byte {
	c := wire.Context{Time: u.Time, Offset: -1, Partition: p.w.t.Partition()}
	if from, ok := p.w.t.Origin(); ok {
		c.Topic, c.Partition, c.Offset = from.Topic, from.Partition, from.Offset
	}
	p.headers = p.headers[:0]
	for _, h := range u.headers {
		p.headers = append(p.headers, wire.Header(h))
	}
	c.Headers = p.headers
	p.context = wire.AppendContext(p.context[:0], c)
	return p.context
}

// emit lets an update go, with the timestamp, the headers and the metadata that it came
// with.
func (p *suppressor[K, V]) emit(b store.Buffered[K, V]) error {
	if b.NullNew && p.s.final {
		return nil
	}
	c, err := wire.ParseContext(b.Context)
	if err != nil {
		return err
	}
	u := update[K, V]{Change: b.Change}
	u.Time = c.Time
	for _, h := range c.Headers {
		u.headers = append(u.headers, Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	was := p.w.t.SetOrigin(task.Origin{Topic: c.Topic, Partition: c.Partition, Offset: c.Offset})
	err = p.out.Emit(u)
	p.w.t.SetOrigin(was)
	return err
}

// suppressed reads the rows of a suppressed table: those that its readers were told of.
type suppressed[K, V any] struct {
	buffer *store.BufferView[K, V]
	from   reader[K, V]
}

func (s suppressed[K, V]) Load(k K) (v V, at int64, ok bool, err error) {
	v, ok, held, err := s.buffer.Prior(k)
	if held || err != nil {
		return v, -1, ok, err // when it was told is not kept
	}
	return s.from.Load(k)
}
