package state

import "bytes"

// What a record costs most is to wait for memory: once a store has more entries than the
// CPU's caches hold, each key is a miss or two, one after the other, in the table and then
// in the entry. The CPU waits for many at a time if it is told of many. So of the records
// that are next those parts of the store are touched that their keys will ask for, as far
// as can be guessed: most stores are asked for the record's key, or for that between a
// segment and a window's start which are those of the record before.

const (
	// Ahead is of how many records ahead it is worth to touch what they ask for: the CPU
	// does not wait for more at a time.
	Ahead = 16

	// leastAhead is from how many entries on: there may be many stores.
	leastAhead = 256
)

// A guess is how a store's keys are made of records' keys.
type guess struct {
	before, behind []byte
	key            []byte // scratch
}

// Touch brings into the CPU's caches what the store has of the records that are next. last
// is the key of the record that was processed last, from which it guesses for which keys it
// will be asked. It changes nothing.
func (s *Store) Touch(last []byte, next *[Ahead][]byte) {
	if s.entries.len() < leastAhead || s.last == nil || len(last) == 0 {
		return
	}
	at := bytes.Index(s.last.key, last)
	if at < 0 {
		return
	}
	g := &s.guess
	g.before = append(g.before[:0], s.last.key[:at]...)
	g.behind = append(g.behind[:0], s.last.key[at+len(last):]...)
	sum := int64(0) // or else the compiler would leave it out
	var hashes [Ahead]uint64
	for i, key := range next {
		if len(g.before)+len(g.behind) > 0 {
			g.key = append(append(append(g.key[:0], g.before...), key...), g.behind...)
			key = g.key
		}
		hashes[i] = hash(key)
		sum += int64(s.entries.touch(hashes[i]))
	}
	for _, h := range hashes {
		if e := s.entries.likely(h); e != nil {
			sum += e.changed
			if len(e.key) > 0 {
				sum += int64(e.key[0])
			}
			if len(e.cur.raw) > 0 {
				sum += int64(e.cur.raw[0])
			}
		}
	}
	s.touched = sum
}
