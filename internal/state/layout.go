package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// A Layout says how the entries of a store relate to the records of its changelog.
type Layout interface {
	// Logged returns the changelog key of the entry at key, a part of it; nil if the
	// changelog does not have the entry.
	Logged(key []byte) []byte
	// Replay applies a changelog record. A nil value is a tombstone. Key and
	// value stay as they are until the restorer's next Write.
	Replay(r *Restorer, key, value []byte, time int64) error
}

// Plain is the layout of a store whose entries are its changelog's records.
type Plain struct{}

// Logged implements Layout.
func (Plain) Logged(key []byte) []byte { return key }

// Replay implements Layout.
func (Plain) Replay(r *Restorer, key, value []byte, time int64) error {
	r.Set(key, value, time)
	return nil
}

// Fronted is the layout of a store whose entries are ordered by one byte of their
// changelog keys first: by the one at At.
type Fronted struct{ At int }

// Logged implements Layout.
func (Fronted) Logged(key []byte) []byte { return key[1:] }

// Replay implements Layout.
func (f Fronted) Replay(r *Restorer, key, value []byte, time int64) error {
	if len(key) <= f.At {
		return fmt.Errorf("a key of %d bytes has none at %d", len(key), f.At)
	}
	r.Set(append(append(r.room(1+len(key)), key[f.At]), key...), value, time)
	return nil
}

// Numbered is the layout of a store whose keys are the changelog's. They hold a time,
// eight bytes, at At from their start, and end in a number that Number gave.
type Numbered struct{ At int }

// Logged implements Layout.
func (Numbered) Logged(key []byte) []byte { return key }

// Replay implements Layout.
func (q Numbered) Replay(r *Restorer, key, value []byte, time int64) error {
	if len(key) < q.At+8+4 {
		return fmt.Errorf("a key of %d bytes is too short to hold a time at %d and a number", len(key), q.At)
	}
	r.Observe(int64(binary.BigEndian.Uint64(key[q.At:])))
	r.s.ResumeNumber(int64(binary.BigEndian.Uint32(key[len(key)-4:])))
	r.Set(key, value, time)
	return nil
}

// Commits says that the time and the last number are.
func (Numbered) Commits() (observed, number bool) { return true, true }

// Segments is the layout of a store whose entries expire. An entry's key is the
// number of its segment, eight bytes, and then the key that the changelog has,
// which holds the entry's time, eight bytes, at At bytes from its end. So one
// range deletion removes all that has expired, and no tombstones are logged: the
// changelog's own retention does the same there.
type Segments struct {
	Retention int64 // of an entry, ms: at least so long can it be read
	Interval  int64 // of a segment, ms
	At        int
	Numbered  bool // the key ends in a number that Number gave, four bytes

	// Ordered says that the entries can also be walked in the order of their times.
	// For that each has a second entry, which holds nothing and is not logged: its key
	// is twice the number of the segment, then the time, then the changelog key. What
	// the entry's own key begins with is one more than that.
	Ordered bool
}

// NewSegments returns the layout of a store whose entries are kept for retention, in
// ms. Its segments are half of that, and never shorter than a minute, as Kafka
// Streams has them.
func NewSegments(retention int64, at int) Segments {
	return Segments{Retention: retention, Interval: max(retention/2, 60_000), At: at}
}

// Live is the first time whose entries have not expired.
func (s *Store) Live(g Segments) int64 {
	if s.lenient {
		return g.live(s.committedTime)
	}
	return g.live(s.observed)
}

// live is the first time whose entries have not expired now.
func (g Segments) live(now int64) int64 {
	if now == NeverObserved {
		return NeverObserved + 1
	}
	return now - g.Retention + 1
}

// KeepExpired makes the store show what had not expired at the last Commit, while what
// was done since is told at once.
func (s *Store) KeepExpired(on bool) { s.lenient = on }

// Linger says that KeepExpired will be: what it is to show stays until the next Commit.
func (s *Store) Linger() { s.lingers = true }

// kept is the first time whose entries are to be there, be it only for KeepExpired.
func (s *Store) kept(g Segments) int64 {
	if s.lingers {
		return min(s.Live(g), g.live(s.committedTime))
	}
	return s.Live(g)
}

// Admit observes now, drops the segments whose entries have all expired, and reports
// whether that of now is kept. If it is it may hold entries from now on.
func (s *Store) Admit(g Segments, now int64) bool {
	segment := g.Segment(now)
	if segment < s.trim(g, now) {
		return false
	}
	s.held.add(segment, segment)
	return true
}

// trim observes now, and drops the segments whose entries have all expired. It returns
// the first segment that is left.
func (s *Store) trim(g Segments, now int64) (first int64) {
	s.Observe(now)
	first = g.first(s)
	switch {
	case first > 0 && g.Ordered:
		s.expireBelow(uint64(2 * first))
	case first > 0:
		s.expireBelow(uint64(first))
	}
	return first
}

// Floor is the time that the first segment which is kept begins with.
func (s *Store) Floor(g Segments) int64 { return g.first(s) * g.Interval }

// first is the first segment of s that is kept: that of a millisecond before the first
// time that can be read, as in Kafka Streams.
func (g Segments) first(s *Store) int64 { return g.Segment(s.Live(g) - 1) }

// Commits says which of the store's time and last number are committed.
func (g Segments) Commits() (observed, number bool) { return true, g.Numbered }

// Logged implements Layout.
func (g Segments) Logged(key []byte) []byte {
	if g.Orders(key) {
		return nil
	}
	return key[segmentSize:]
}

// Replay implements Layout.
func (g Segments) Replay(r *Restorer, key, value []byte, time int64) error {
	if len(key) < g.At {
		return fmt.Errorf("a key of %d bytes is too short to hold a time at %d bytes from its end", len(key), g.At)
	}
	at := int64(binary.BigEndian.Uint64(key[len(key)-g.At:]))
	r.Observe(at)
	r.s.held.add(g.Segment(at), g.Segment(at))
	if g.Numbered {
		r.s.ResumeNumber(int64(binary.BigEndian.Uint32(key[len(key)-4:])))
	}
	local := r.room(segmentSize + len(key))
	r.Set(append(g.Append(local, at), key...), value, time)
	if g.Ordered {
		local = r.room(segmentSize + timeSize + len(key))
		if value != nil {
			value = []byte{}
		}
		r.Set(append(g.AppendOrder(local, at), key...), value, time)
	}
	return nil
}

// Append appends what the key of an entry of that time begins with to dst.
func (g Segments) Append(dst []byte, time int64) []byte {
	return binary.BigEndian.AppendUint64(dst, g.Prefix(g.Segment(time)))
}

// Prefix is what the keys of a segment's entries begin with.
func (g Segments) Prefix(segment int64) uint64 {
	if g.Ordered {
		return 2*uint64(segment) + 1
	}
	return uint64(segment)
}

// AppendOrder appends what the key of the second entry begins with to dst.
func (g Segments) AppendOrder(dst []byte, time int64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, 2*uint64(g.Segment(time)))
	return binary.BigEndian.AppendUint64(dst, uint64(time))
}

// Orders reports whether the entry at key is a second one, and not data.
func (g Segments) Orders(key []byte) bool { return g.Ordered && key[segmentSize-1]&1 == 0 }

// OnOrder has fn called with the time of each entry that comes to be walked over in the
// order of times, whoever of the task puts it there.
func (s *Store) OnOrder(fn func(time int64)) { s.onOrder = fn }

// PutOrder puts the second entry of an entry that was not there. Its key is AppendOrder's.
func (s *Store) PutOrder(key []byte, entryTime, time int64) {
	s.Absent(key)
	s.Put(key, nil, time)
	if s.onOrder != nil {
		s.onOrder(entryTime)
	}
}

// Own returns the key of the entry that the one at key is the second entry of, in dst.
func (g Segments) Own(dst, key []byte) []byte {
	dst = append(append(dst, key[:segmentSize]...), key[segmentSize+timeSize:]...)
	dst[segmentSize-1]++
	return dst
}

// number is that of the segment whose entries' keys begin with prefix.
func (g Segments) number(prefix uint64) int64 {
	if g.Ordered {
		prefix /= 2
	}
	return int64(prefix)
}

// Segment is the number of the segment that time falls into. Times before the epoch
// belong to the first.
func (g Segments) Segment(time int64) int64 { return max(0, time) / g.Interval }

const (
	segmentSize = 8
	timeSize    = 8
)

// NeverObserved is the Observed time of a store that nothing was ever written to.
const NeverObserved = math.MinInt64

// Observed is the greatest time that Observe was told: what decides which entries of a
// store have expired.
func (s *Store) Observed() int64 { return s.observed }

// Last is the last time whose entries are looked for from a time on; NeverObserved if there
// are none. No entry is later, but those that have been restored and are so far ahead of
// that, and of what has been reached, that nothing processed now asks for them.
func (s *Store) Last(g Segments, from int64) int64 {
	from = max(from, s.observed)
	if from > math.MaxInt64-g.Retention || s.newest < from+g.Retention {
		return s.newest
	}
	return from + g.Retention
}

// Observe says that time has come to now, or later.
func (s *Store) Observe(now int64) {
	s.observed = max(s.observed, now)
	s.newest = max(s.newest, now)
	s.oldest = min(s.oldest, now)
}

// Resume says that time had come to now, or later, when offsets were committed.
func (s *Store) Resume(now int64) {
	s.observed, s.newest = max(s.observed, now), max(s.newest, now)
	s.committedTime, s.resumed = s.observed, true
}

// ResumeBehind says that time had come to now when offsets were committed, and that what
// was restored may be further, as there were no transactions: it is done again, and what
// that needs must not have expired. Of several inputs the last counts. If nothing had been
// observed, all that was restored is done again.
func (s *Store) ResumeBehind(now int64) {
	if now == NeverObserved && s.newest != NeverObserved {
		now = s.oldest
	}
	if s.resumed {
		now = max(now, s.observed)
	}
	s.observed, s.committedTime, s.resumed = now, now, true
	s.newest = max(s.newest, now)
}

// begin says that nothing is known of a store's time.
func (s *Store) begin() {
	s.observed, s.committedTime, s.resumed = NeverObserved, NeverObserved, false
	s.oldest, s.newest, s.held = math.MaxInt64, NeverObserved, nil
}

// look finds the first and the last segment that the engine holds of a store: time has
// come to where the last begins, at least, and has not gone beyond its end.
func (s *Store) look() error {
	g, ok := s.segments()
	if !ok {
		return nil
	}
	s.begin()
	all := binary.BigEndian.AppendUint64(nil, math.MaxUint64)
	first := int64(0)
	err := s.Range(nil, all, false, func(key, _ []byte, _ int64) bool {
		first = g.number(binary.BigEndian.Uint64(key))
		s.oldest = first * g.Interval
		return false
	})
	if err != nil {
		return err
	}
	return s.Range(nil, all, true, func(key, _ []byte, _ int64) bool {
		last := g.number(binary.BigEndian.Uint64(key))
		s.observed = last * g.Interval
		s.committedTime, s.newest = s.observed, s.observed+min(g.Interval-1, math.MaxInt64-s.observed)
		s.held.add(first, last) // what lies between has not been looked at
		return false
	})
}

// segments returns how entries expire, if they do.
func (s *Store) segments() (g Segments, ok bool) {
	switch l := s.layout.(type) {
	case Segments:
		return l, true
	case Versions:
		return l.Segments, true
	}
	return g, false
}

// Number returns a number that tells an entry from the others under its key and time.
// It is greater than those given before, until it starts again after 2^31.
func (s *Store) Number() uint32 {
	s.number++
	return uint32(s.number & math.MaxInt32)
}

// LastNumber is how many numbers were given: what is to be committed, so that after a
// restart none is given twice.
func (s *Store) LastNumber() int64 { return s.number }

// ResumeNumber goes on after a number that was committed.
func (s *Store) ResumeNumber(last int64) {
	s.number = max(s.number, last)
	s.committedNumber = s.number
}

// expireBelow drops every entry of the segments below the given one, with the commit of
// what was changed. Nothing of it is logged. Nobody reads there any more.
func (s *Store) expireBelow(segment uint64) { s.expiring = max(s.expiring, segment) }

// expire forgets what is below the floor that expireBelow has raised.
func (s *Store) expire() {
	if s.expiring <= s.floor {
		return
	}
	s.floor, s.floorSent = s.expiring, false
	if g, ok := s.segments(); ok {
		s.held.drop(g.number(s.floor))
	}
	floor := s.floorKey()
	s.entries.sweep(func(e *entry) bool {
		if bytes.Compare(e.key, floor) < 0 {
			e.pending = false
			s.place(e)
			s.forget(e)
		}
		return true
	})
	s.pending = slices.DeleteFunc(s.pending, func(e *entry) bool { return !e.pending })
}

func (s *Store) floorKey() []byte { return binary.BigEndian.AppendUint64(nil, s.floor) }
