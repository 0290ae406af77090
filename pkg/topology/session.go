package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// A SessionStream is a stream whose records are to be gathered by key and session.
type SessionStream[K, V any] struct {
	s       Stream[K, V]
	more    []Stream[K, V] // whose records are gathered in the same store
	windows window.Session
	onClose bool
}

// Sessions gathers the records of s by key and session. It is a function, and not a
// method, for the reason that Windowed is one.
//
// A record that falls into sessions, or no further from them than the inactivity gap,
// makes one of them all and itself. Of each session that has grown or merged readers
// are told that it is deleted, then of the new one. A result's timestamp is the end of
// its session.
func Sessions[K, V any](s Stream[K, V], w window.Session) SessionStream[K, V] {
	if err := w.Validate(); err != nil {
		s.b.fail("sessions: %v", err)
	}
	return SessionStream[K, V]{s: s, windows: w}
}

// OnClose makes the aggregation emit each session once, when it has closed: when
// stream time minus the grace period and the gap has passed its end. Sessions come in
// the order of their ends. Nothing closes without a record that moves stream time.
func (s SessionStream[K, V]) OnClose() SessionStream[K, V] {
	s.onClose = true
	return s
}

// Count counts the records of each session, those whose value is null too, as Kafka
// Streams does here.
func (s SessionStream[K, V]) Count(st store.SessionStore[K, int64], opts ...TableOption) Table[window.Windowed[K], int64] {
	return merge(s, "session-count", st, opts, merger[K, V, int64]{counting[K, V](), func(_ K, a, b Opt[int64]) Opt[int64] {
		return Some(a.v + b.v)
	}})
}

// Reduce folds the values of each session into one of their own type; sessions that
// merge are combined the same way. Records without a value are dropped.
func (s SessionStream[K, V]) Reduce(st store.SessionStore[K, V], combine func(acc, v V) V, opts ...TableOption) Table[window.Windowed[K], V] {
	return merge(s, "session-reduce", st, opts, merger[K, V, V]{reducing[K](combine), func(_ K, a, b Opt[V]) Opt[V] {
		if !a.ok {
			return b
		}
		return Some(combine(a.v, b.v))
	}})
}

// Aggregate folds the values of each session into st. What add folds a record into is
// A's zero value, or what join has made of that and, one after the other, the sessions
// that become one. Records without a value are dropped.
func (s SessionStream[K, V]) Aggregate[A any](st store.SessionStore[K, A], add func(acc A, k K, v V) A, join func(k K, a, b A) A, opts ...TableOption) Table[window.Windowed[K], A] {
	return merge(s, "session-aggregate", st, opts, merger[K, V, A]{adding(add), func(k K, a, b Opt[A]) Opt[A] {
		return Some(join(k, a.v, b.v))
	}})
}

// Fold is the general aggregation: fn sees null values, and whether there was anything
// in the session; a result of nothing deletes it. join joins the sessions that become
// one, beginning with None and the first.
func (s SessionStream[K, V]) Fold[A any](st store.SessionStore[K, A], fn func(k K, v Opt[V], old Opt[A]) Opt[A], join func(k K, a, b Opt[A]) Opt[A], opts ...TableOption) Table[window.Windowed[K], A] {
	return merge(s, "session-fold", st, opts, merger[K, V, A]{folding(fn), join})
}

// A merger takes records into an aggregate, and joins two aggregates.
type merger[K, V, A any] struct {
	folder[K, V, A]
	join func(k K, a, b Opt[A]) Opt[A]
}

// merge adds the operator that owns st.
func merge[K, V, A any](s SessionStream[K, V], kind string, st store.SessionStore[K, A], opts []TableOption, m merger[K, V, A]) Table[window.Windowed[K], A] {
	b := s.s.b
	o := b.tableOptions(opts)
	o.never = s.onClose
	if o.backed {
		b.fail("windowed table %q: only Builder.Table can have its source topic as changelog", st.Name())
	}
	keep := s.windows.Gap() + s.windows.GracePeriod()
	st, enough := st.Keeping(keep)
	if !enough {
		b.fail("store %q: its retention is less than the %d ms of its sessions' gap and grace period: raise it, or leave it out", st.Name(), keep)
	}
	if s.onClose {
		st = st.InOrder()
	}
	b.own(st, kind+" "+st.Name(), st.Retention(0))
	n := node{kind: kind, name: st.Name(), stores: []string{st.Name()}, keyed: true}
	id := gatherFrom(append([]Stream[K, V]{s.s}, s.more...), n, func(w wiring, n node, first bool, out *task.Port[update[window.Windowed[K], A]]) func(Record[K, V]) error {
		g := &sessions[K, V, A]{
			w: w, view: st.Open(scope{w.t, n}), out: out, merger: m, windows: s.windows,
			now: w.t.NodeTime(n.name + nowSuffix), coalesce: o.coalesces(),
		}
		if s.onClose {
			g.closer = newCloser(w.t, n.name, g.view)
		} else if g.coalesce && first {
			w.t.OnFlush(g.flush)
		}
		return g.process
	})
	keys, values := st.Serdes()
	t := Table[window.Windowed[K], A]{b: b, id: id, closing: &closing{grace: keep}, values: values, read: func(t *task.Task) reader[window.Windowed[K], A] {
		return sessionReader[K, A]{st.Open(scope{t, n})}
	}}
	if keys != nil {
		t.keys = serde.SessionWindowed(keys)
	}
	return inHindsight(t, st.Name(), o)
}

// A sessions is the running operator that owns a session table's store.
type sessions[K, V, A any] struct {
	w        wiring
	view     *store.SessionView[K, A]
	out      *task.Port[update[window.Windowed[K], A]]
	merger   merger[K, V, A]
	windows  window.Session
	now      *task.NodeTime // the greatest timestamp that came here
	closer   *closer        // nil: every update is emitted, or what a commit makes of them
	coalesce bool
	met      []session[A]                  // those that the record in hand touches
	r        Record[K, V]                  // the one in hand; kept here so that it need not escape
	u        update[window.Windowed[K], A] // likewise
}

type session[A any] struct {
	window.Span
	val A
}

func (g *sessions[K, V, A]) process(rec Record[K, V]) error {
	g.r = rec
	r := &g.r
	if r.NullKey {
		g.w.t.Drop(task.DropNullKey)
		return nil
	}
	at := r.Time.UnixMilli()
	closed := g.now.Advance(at) - g.windows.GracePeriod() - g.windows.Gap()
	if r.NullValue && g.merger.values {
		g.w.t.Drop(task.DropNullValue)
		return nil
	}
	was := g.w.t.SetNow(at)
	err := g.take(r, at, closed)
	if g.w.t.SetNow(was); err != nil {
		return err
	}
	return g.close(r, closed)
}

// take folds r into the sessions it touches, which become one.
func (g *sessions[K, V, A]) take(r *Record[K, V], at, closed int64) error {
	clear(g.met)
	g.met = g.met[:0]
	one := window.Span{Start: at, End: at}
	err := g.view.Each(r.Key, at-g.windows.Gap(), at+g.windows.Gap(), func(s window.Span, val A) bool {
		g.met = append(g.met, session[A]{s, val})
		one.Start, one.End = min(one.Start, s.Start), max(one.End, s.End)
		return true
	})
	if err != nil {
		return err
	}
	if one.End < closed {
		g.w.t.Drop(task.DropLate)
		return nil
	}
	g.w.t.Enter(g.w.id)
	var acc Opt[A]
	for _, s := range g.met {
		acc = g.merger.join(r.Key, acc, Some(s.val))
	}
	is := false // such a session
	for _, s := range g.met {
		is = is || s.Span == one
		if one.Start < one.End { // else it is as it was
			if err := g.set(r.Key, s.Span, Some(s.val), Opt[A]{}, true); err != nil {
				return err
			}
		}
	}
	g.w.t.Enter(g.w.id)
	return g.set(r.Key, one, Opt[A]{}, g.merger.fold(r, acc), is)
}

// set replaces what a session holds; nothing deletes it. is says whether there is one.
func (g *sessions[K, V, A]) set(k K, span window.Span, old, agg Opt[A], is bool) (err error) {
	u := &g.u
	*u = update[window.Windowed[K], A]{}
	u.Key, u.Time = window.Windowed[K]{Key: k, Span: span}, span.End
	u.set(old, agg)
	switch {
	case !agg.ok:
		err = g.view.Delete(u.Key)
	case is:
		err = g.view.Put(u.Key, agg.v)
	default:
		err = g.view.Add(u.Key, agg.v)
	}
	switch {
	case err != nil:
		return err
	case g.closer != nil, g.coalesce:
		return nil
	}
	return g.out.Emit(*u)
}

// flush emits what changed since the last commit.
func (g *sessions[K, V, A]) flush() error {
	return g.view.Changed(func(c store.Change[window.Windowed[K], A]) error {
		if c.NullNew && c.NullOld {
			return nil
		}
		c.Time = c.Key.End
		return g.out.Emit(update[window.Windowed[K], A]{Change: c})
	})
}

// A sessionReader looks up the rows of a session table.
type sessionReader[K, A any] struct{ view *store.SessionView[K, A] }

func (r sessionReader[K, A]) Load(k window.Windowed[K]) (v A, at int64, ok bool, err error) {
	v, ok, err = r.view.Get(k)
	return v, k.End, ok, err
}
