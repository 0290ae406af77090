package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/window"
)

// A slider gathers records in sliding windows, by Kafka Streams' algorithm (KIP-450).
//
// Of all windows as long as the time difference only those are kept that differ in
// what they hold: for each record its left window, which ends at it, and its right
// window, which begins just behind it and is kept once there is something in it. A new
// record goes into the windows around it; it brings its own left window, which starts
// from what the last window before holds; its right window, which is a copy of what
// lies around it; and the right window of the record before it.
//
//	      p     r            p and r: records, p is there and r is new
//	[-----p]                 left window of p: too early for r
//	.      [----r-]          right window of p: new
//	. [---p-----r]           left window of r: what the left window of p has, and r
//
// Windows do not begin before the epoch: the records of the first time difference
// have one left window together.
type slider[K, V, A any] struct {
	*gatherer[K, V, A]
	size   int64
	closed int64     // as of the record in hand
	near   []cell[A] // the windows that it may matter to, by start
}

// A cell is a window of a store: its value before the record in hand, and the
// greatest timestamp in it.
type cell[A any] struct {
	start int64
	val   A
	at    int64
}

func (s *slider[K, V, A]) process(rec Record[K, V]) error {
	s.r = rec
	r := &s.r
	switch {
	case r.NullKey:
		s.w.t.Drop(task.DropNullKey)
		return nil
	case r.NullValue:
		s.w.t.Drop(task.DropNullValue)
		return nil
	}
	at := r.Time.UnixMilli()
	if s.closed = s.now.Advance(at) - s.grace; at+s.size < s.closed {
		s.w.t.Drop(task.DropLate)
		return nil
	}
	if err := s.look(r.Key, at); err != nil {
		return err
	}
	if at < s.size {
		return s.early(r, at)
	}
	if err := s.insert(r, at); err != nil {
		return err
	}
	return s.closeSliding(r, s.size, s.closed)
}

// look finds the windows that a record at a time may matter to.
func (s *slider[K, V, A]) look(k K, at int64) error {
	clear(s.near)
	s.near = s.near[:0]
	return s.view.Each(k, at-2*s.size, at+1, func(start int64, val A, at int64) bool {
		s.near = append(s.near, cell[A]{start, val, at})
		return true
	})
}

// exists reports whether one of the windows found begins at start.
func (s *slider[K, V, A]) exists(start int64) bool {
	for i := len(s.near) - 1; i >= 0; i-- {
		if s.near[i].start <= start {
			return s.near[i].start == start
		}
	}
	return false
}

// insert takes up a record, later windows first.
func (s *slider[K, V, A]) insert(r *Record[K, V], at int64) error {
	var left, right *cell[A] // the last window before the record, the last one around it
	previous := int64(-1)    // timestamp of the record before this one
	ended := false           // the left window is there
search:
	for i := len(s.near) - 1; i >= 0; i-- {
		c := &s.near[i]
		switch end := c.start + s.size; {
		case c.start > at: // the right window
		case end > at:
			if right == nil {
				right = c
			}
			if err := s.update(r, c); err != nil {
				return err
			}
		case end == at:
			ended = true
			if err := s.update(r, c); err != nil || c.at == at {
				return err // or there was a record of this very time
			}
			previous = c.at
		default:
			left, previous = c, c.at
			break search
		}
	}
	if previous >= 0 && previous+1+s.size >= at && !s.exists(previous+1) {
		if err := s.begin(r, previous+1, Opt[A]{}); err != nil {
			return err
		}
	}
	if !ended {
		var old Opt[A]
		if left != nil && previous >= at-s.size {
			old = Some(left.val)
		}
		if err := s.begin(r, at-s.size, old); err != nil {
			return err
		}
	}
	return s.follow(r, at, right)
}

// early takes up a record of the first time difference since the epoch.
func (s *slider[K, V, A]) early(r *Record[K, V], at int64) error {
	var first, right *cell[A] // the window of all early records, the last one around the record
	previous := int64(-1)
	for i := range s.near {
		c := &s.near[i]
		switch {
		case c.start == 0:
			if first = c; c.at < at {
				previous = c.at
			}
		case c.start <= at:
			right = c
			if err := s.update(r, c); err != nil {
				return err
			}
		}
	}
	if right == nil && first != nil && first.at > at {
		right = first // nothing but what comes later is in it
	}
	if err := s.follow(r, at, right); err != nil {
		return err
	}
	if previous >= 0 && !s.exists(previous+1) {
		if err := s.begin(r, previous+1, Opt[A]{}); err != nil {
			return err
		}
	}
	if first == nil {
		return s.begin(r, 0, Opt[A]{})
	}
	return s.update(r, first)
}

// update folds the record into a window that is there.
func (s *slider[K, V, A]) update(r *Record[K, V], c *cell[A]) error {
	return s.take(r, c.start, Some(c.val), max(r.Time.UnixMilli(), c.at))
}

// begin makes a window of what it starts from and the record.
func (s *slider[K, V, A]) begin(r *Record[K, V], start int64, old Opt[A]) error {
	return s.take(r, start, old, r.Time.UnixMilli())
}

func (s *slider[K, V, A]) take(r *Record[K, V], start int64, old Opt[A], at int64) error {
	span := window.Span{Start: start, End: start + s.size}
	if span.End < s.closed {
		s.w.t.Drop(task.DropLate)
		return nil
	}
	return s.put(r, span, old, at)
}

// follow makes the right window of a record, if it has none and there is something to
// be in it: a copy of what lies around the record, without the record.
func (s *slider[K, V, A]) follow(r *Record[K, V], at int64, around *cell[A]) error {
	if around == nil || around.at <= at || s.exists(at+1) {
		return nil
	}
	span := window.Span{Start: at + 1, End: at + 1 + s.size}
	return s.set(r, span, Opt[A]{}, Some(around.val), around.at)
}
