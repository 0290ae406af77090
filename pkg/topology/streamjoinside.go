package topology

import (
	"math"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// leastSuffix, behind a join's name, names the least time of a record without a
// partner, as far as the join knows it. No name holds an @.
const leastSuffix = "@least"

// A joinSide is one side of a running join.
type joinSide[K, This, Other, O any] struct {
	w           wiring
	back, ahead int64 // how much earlier and later a partner may be, ms
	outer       bool  // records without a partner are emitted
	mine        *store.WindowView[K, This]
	theirs      *store.WindowView[K, Other]
	keeps       bool           // else the other side keeps the records
	now         *task.NodeTime // the greatest timestamp of both sides
	singles     singles[K, This]
	fn          func(K, This, Opt[Other]) O
	out         *task.Port[Record[K, O]]

	r    Record[K, This] // the one in hand
	met  bool            // it has found a partner
	err  error
	meet func(at int64, other Other, _ int64) bool
}

// singles are the records that have no partner, as one side sees them.
type singles[K, V any] interface {
	// add adds a record of this side.
	add(k K, v V, at int64) error
	// remove removes those of the other side, because a record of this one met them.
	remove(k K, at, now int64) error
	// release emits those that find none any more.
	release(now, ahead int64, headers []Header) error
}

// openJoin wires a join into a task. A record that comes from both sides at once is a
// left one first.
func openJoin[K, L, R, O any](wr wiring, n node, w window.Join, j joining[K, L, R, O]) {
	sc, keep := scope{wr.t, n}, w.Size()+w.GracePeriod()
	lefts, rights := j.st.Lefts(j.outer, keep), j.st.Rights(j.outer, keep)
	now, out := wr.t.NodeTime(n.name+nowSuffix), task.Outlet[Record[K, O]](wr.t, wr.id)
	before, after := w.Reach()
	l := &joinSide[K, L, R, O]{
		w: wr, back: before, ahead: after, outer: j.outer != store.OuterNone, now: now, out: out, keeps: true,
		mine: lefts.Open(sc), theirs: rights.Open(sc), fn: func(k K, l L, r Opt[R]) O { return j.fn(k, Some(l), r) },
	}
	r := &joinSide[K, R, L, O]{
		w: wr, back: after, ahead: before, outer: j.outer == store.OuterBoth, now: now, out: out, keeps: lefts.Name() != rights.Name(),
		mine: rights.Open(sc), theirs: lefts.Open(sc), fn: func(k K, r R, l Opt[L]) O { return j.fn(k, l, Some(r)) },
	}
	if j.outer != store.OuterNone {
		s := &unpaired[K, L, R, O]{w: wr, windows: w, view: j.st.Singles(j.outer).Open(sc), least: wr.t.NodeTime(n.name + leastSuffix), fn: j.fn, out: out}
		for side := range s.from {
			s.from[side] = wr.t.NodeTime(task.Uncommitted)
		}
		l.singles, r.singles = leftSingles[K, L, R, O]{s}, rightSingles[K, L, R, O]{s}
	}
	l.meet, r.meet = l.join, r.join
	task.Outlet[Record[K, R]](wr.t, wr.parents[1]).Subscribe(r.process)
	task.Outlet[Record[K, L]](wr.t, wr.parents[0]).Subscribe(l.process)
}

// process joins a record with what is there of the other side, and keeps it.
func (s *joinSide[K, This, Other, O]) process(r Record[K, This]) error {
	at := r.Time.UnixMilli()
	now := s.now.Advance(at)
	s.w.t.Enter(s.w.id)
	switch {
	case r.NullKey && !r.NullValue && s.outer:
		s.r = r
		return s.emit(None[Other](), at)
	case r.NullKey:
		s.w.t.Drop(task.DropNullKey)
		return nil
	case r.NullValue:
		s.w.t.Drop(task.DropNullValue)
		return nil
	}
	if s.singles != nil && at == now {
		if err := s.singles.release(now, s.ahead, r.Headers); err != nil {
			return err
		}
	}
	if err := s.probe(r, at, now); err != nil || !s.keeps {
		return err
	}
	return s.mine.Store(r.Key, at, r.Value, at)
}

// probe joins r with all that the other side keeps of its window.
func (s *joinSide[K, This, Other, O]) probe(r Record[K, This], at, now int64) error {
	s.r, s.met, s.err = r, false, nil
	until := max(0, at+s.ahead)
	err := s.theirs.Each(r.Key, max(0, at-s.back), until, s.meet)
	switch {
	case s.err != nil:
		return s.err
	case err != nil || s.met || !s.outer:
		return err
	case until < now: // its window is over: nobody would come
		return s.emit(None[Other](), at)
	}
	return s.singles.add(r.Key, r.Value, at)
}

// join joins the record in hand with one of the other side.
func (s *joinSide[K, This, Other, O]) join(at int64, other Other, _ int64) bool {
	s.met = true
	mine := s.r.Time.UnixMilli()
	if s.singles != nil {
		if s.err = s.singles.remove(s.r.Key, at, mine); s.err != nil {
			return false
		}
	}
	s.err = s.emit(Some(other), max(mine, at))
	return s.err == nil
}

// emit emits what the record in hand gives with a partner, or without one.
func (s *joinSide[K, This, Other, O]) emit(other Opt[Other], at int64) error {
	s.w.t.Enter(s.w.id)
	o := Record[K, O]{Key: s.r.Key, NullKey: s.r.NullKey, Time: stamp(at), Headers: s.r.Headers}
	o.Value = s.fn(s.r.Key, s.r.Value, other)
	return s.out.Emit(o)
}

// unpaired are the records of a running join that have no partner yet.
type unpaired[K, L, R, O any] struct {
	w       wiring
	windows window.Join
	view    *store.SinglesView[K, L, R]
	least   *task.NodeTime    // unknown: there are none
	from    [2]*task.NodeTime // of either side, none is earlier; unknown: any may be
	fn      func(K, Opt[L], Opt[R]) O
	out     *task.Port[Record[K, O]]
}

// release emits the records that find no partner any more, now that stream time has
// come to now. As in Kafka Streams, they are looked for when the least of them would be
// due if it were of the side of the record in hand.
func (u *unpaired[K, L, R, O]) release(now, ahead int64, headers []Header) error {
	grace := u.windows.GracePeriod()
	least, some := u.least.At()
	if !some || least+ahead+grace >= now {
		return nil
	}
	before, after := u.windows.Reach()
	due := store.Due{Until: [...]int64{store.Left: now - after - grace, store.Right: now - before - grace}}
	for side, from := range u.from {
		due.From[side], _ = from.At()
	}
	least, err := u.view.Release(&due, now, func(s store.Single[K, L, R]) error {
		u.w.t.Enter(u.w.id)
		o := Record[K, O]{Key: s.Key, Time: stamp(s.Time), Headers: headers}
		o.Value = u.fn(s.Key, Opt[L]{s.Left, s.Side == store.Left}, Opt[R]{s.Right, s.Side == store.Right})
		return u.out.Emit(o)
	})
	if err != nil {
		return err
	}
	for side, from := range u.from {
		from.Set(due.From[side])
	}
	if least == math.MaxInt64 {
		u.least.Forget()
	} else {
		u.least.Set(least)
	}
	return nil
}

func (u *unpaired[K, L, R, O]) add(s store.Single[K, L, R]) error {
	if least, some := u.least.At(); !some || s.Time < least {
		u.least.Set(s.Time)
	}
	if from, some := u.from[s.Side].At(); some && s.Time < from {
		u.from[s.Side].Set(s.Time)
	}
	return u.view.Add(s, s.Time)
}

// leftSingles is what the left side of a join sees of the records without a partner.
type leftSingles[K, L, R, O any] struct{ *unpaired[K, L, R, O] }

func (u leftSingles[K, L, R, O]) add(k K, v L, at int64) error {
	return u.unpaired.add(store.Single[K, L, R]{Side: store.Left, Key: k, Time: at, Left: v})
}

func (u leftSingles[K, L, R, O]) remove(k K, at, now int64) error {
	return u.view.Remove(store.Right, k, at, now)
}

// rightSingles is what the right side sees.
type rightSingles[K, L, R, O any] struct{ *unpaired[K, L, R, O] }

func (u rightSingles[K, L, R, O]) add(k K, v R, at int64) error {
	return u.unpaired.add(store.Single[K, L, R]{Side: store.Right, Key: k, Time: at, Right: v})
}

func (u rightSingles[K, L, R, O]) remove(k K, at, now int64) error {
	return u.view.Remove(store.Left, k, at, now)
}
