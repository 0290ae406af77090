package state

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/leatstream/leat/internal/engine"
)

// Versions is the layout of a store that keeps the versions of its values: a key's entry
// holds all that can still be asked for. The entries of keys that exist come last; that
// of a key whose last version is a tombstone is in the segment of that, and goes with it.
// The changelog does not have the entries but every version that was written, in that
// order: see Store.Log.
type Versions struct{ Segments }

// NewVersions returns the layout of a store whose versions can be read for history, in
// ms, after they have been replaced.
func NewVersions(history int64) Versions { return Versions{NewSegments(history+1, 0)} }

// Latest is the end of the version that is valid still.
const Latest = math.MaxInt64

// Logged implements Layout.
func (Versions) Logged([]byte) []byte { return nil }

// Each calls fn for the versions of the entry at key that have a value, as the
// changelog has them.
func (Versions) Each(key, row []byte, fn func(key, value []byte) error) error {
	for len(row) > 0 {
		v, rest, err := cutVersion(row)
		if err == nil && v.value != nil {
			err = fn(key[segmentSize:], v.value)
		}
		if err != nil {
			return err
		}
		row = rest
	}
	return nil
}

// Replay implements Layout.
func (g Versions) Replay(r *Restorer, key, value []byte, time int64) error {
	if time < g.replayed(r.s) {
		return nil
	}
	r.Observe(time)
	_, err := g.put(r, r.s, version{key, value, time}, g.replayed(r.s))
	return err
}

// replayed is the first time whose versions a replay keeps. It keeps them twice as long
// as they can be asked for: without transactions it may go on from an earlier time.
func (g Versions) replayed(s *Store) int64 {
	return max(s.Live(g.Segments), NeverObserved+g.Retention) - g.Retention
}

// A Version is written to versioned entries.
type version struct {
	key, value []byte // a nil value is a tombstone
	at         int64
}

// rows are entries, as a task or a restorer sees them.
type rows interface {
	row(key []byte) ([]byte, error)
	setRow(key, row []byte, at int64)
}

func (s *Store) row(key []byte) ([]byte, error) {
	row, _, _, err := s.Get(key)
	return row, err
}

func (s *Store) setRow(key, row []byte, at int64) {
	if row == nil {
		s.Delete(key, at)
		return
	}
	s.Put(key, row, at)
}

// PutVersion adds a version, or a tombstone if value is nil, and logs it. It returns
// when the version ends. ok is false, and nothing happens, if it is older than any that
// can still be asked for.
func (s *Store) PutVersion(key, value []byte, at int64) (until int64, ok bool, err error) {
	g := s.layout.(Versions)
	s.trim(g.Segments, at)
	if at < s.Live(g.Segments) {
		return 0, false, nil
	}
	s.Log(key, value, at)
	until, err = g.put(s, s, version{key, value, at}, s.kept(g.Segments))
	return until, true, s.unreadable(err)
}

// put adds a version to an entry, which loses those that ended at live or before. Time
// has come to it already.
func (g Versions) put(r rows, s *Store, v version, live int64) (until int64, err error) {
	key, row, err := g.find(r, s, v.key, live)
	if err != nil {
		return 0, err
	}
	if row, until, err = addVersion(row, v, live); err != nil {
		return 0, err
	}
	home := g.home(row, v.key)
	if string(home) != string(key) && key != nil {
		r.setRow(key, nil, v.at)
	}
	if segment := g.number(binary.BigEndian.Uint64(home)); segment >= 0 {
		s.held.add(segment, segment)
	}
	r.setRow(home, row, v.at)
	return until, nil
}

// home is where an entry belongs.
func (g Versions) home(row, key []byte) []byte {
	segment := uint64(math.MaxUint64)
	if newest, _, _ := cutVersion(row); newest.value == nil {
		segment = uint64(g.Segment(newest.at))
	}
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, segmentSize+len(key)), segment), key...)
}

// find returns a key's entry and where it is; nil if there is none that ends after live.
func (g Versions) find(r rows, s *Store, key []byte, live int64) (home, row []byte, err error) {
	home = append(binary.BigEndian.AppendUint64(make([]byte, 0, segmentSize+len(key)), math.MaxUint64), key...)
	if row, err = r.row(home); row != nil || err != nil || s.newest == NeverObserved {
		return home, row, err
	}
	first, last := g.Segment(live), g.Segment(s.Last(g.Segments, live))
	for seg, ok := s.held.upTo(last); ok && seg >= first; seg, ok = s.held.upTo(seg - 1) {
		binary.BigEndian.PutUint64(home, uint64(seg))
		if r == rows(s) && s.lacks(home) {
			continue // without an entry for each of them
		}
		if row, err = r.row(home); row != nil || err != nil {
			return home, row, err
		}
	}
	return nil, nil, nil
}

// lacks reports whether the store is known not to have a key.
func (s *Store) lacks(key []byte) bool {
	e, h := s.find(key)
	return e == nil && s.census.lacks(h)
}

// EachVersion calls fn for the versions of key that can still be asked for, the newest
// first, with the times that they are valid from and until, until fn returns false. The
// values belong to the store. A nil value is a tombstone.
func (s *Store) EachVersion(key []byte, fn func(value []byte, from, until int64) bool) error {
	g := s.layout.(Versions)
	until, live := int64(Latest), s.Live(g.Segments)
	_, row, err := g.find(s, s, key, live)
	for err == nil && len(row) > 0 && until > live {
		var v version
		if v, row, err = cutVersion(row); err == nil && !fn(v.value, v.at, until) {
			return nil
		}
		until = v.at
	}
	return s.unreadable(err)
}

// unreadable makes the error of versions that cannot be read one of the store, which no
// policy passes over.
func (s *Store) unreadable(err error) error {
	if err == nil || s.err != nil {
		return err
	}
	return s.fail("versions", err)
}

// An entry holds its versions one behind the other, the newest first: the time, eight
// bytes, the length of the value, four, all ones for a tombstone, the value.
const versionHead = 12

// cutVersion parses the first version of a row.
func cutVersion(row []byte) (v version, rest []byte, err error) {
	if len(row) < versionHead {
		return v, nil, fmt.Errorf("versions end within a head: %w", engine.ErrCorrupt)
	}
	v.at = int64(binary.BigEndian.Uint64(row))
	n, rest := binary.BigEndian.Uint32(row[8:]), row[versionHead:]
	if n == math.MaxUint32 {
		return v, rest, nil
	}
	if uint64(n) > uint64(len(rest)) {
		return v, nil, fmt.Errorf("versions end within a value: %w", engine.ErrCorrupt)
	}
	v.value = rest[:n:n]
	return v, rest[n:], nil
}

func appendVersion(row []byte, v version) []byte {
	row = binary.BigEndian.AppendUint64(row, uint64(v.at))
	if v.value == nil {
		return binary.BigEndian.AppendUint32(row, math.MaxUint32)
	}
	return append(binary.BigEndian.AppendUint32(row, uint32(len(v.value))), v.value...)
}

// addVersion returns row with v in its place, without what has ended at live or before,
// and when v ends.
func addVersion(row []byte, v version, live int64) (out []byte, until int64, err error) {
	out = make([]byte, 0, len(row)+versionHead+len(v.value))
	ends, placed := int64(Latest), false
	until = Latest
	for len(row) > 0 {
		var old version
		if old, row, err = cutVersion(row); err != nil {
			return nil, 0, err
		}
		if !placed && old.at <= v.at {
			out, until, placed, ends = appendVersion(out, v), ends, true, v.at
			if old.at == v.at {
				continue
			}
		}
		if ends > live {
			out = appendVersion(out, old)
		}
		ends = old.at
	}
	if !placed {
		out, until = appendVersion(out, v), ends
	}
	return out, until, nil
}

// Log adds a record to what the changelog is to have of a store whose entries it does
// not. It copies both.
func (s *Store) Log(key, value []byte, time int64) {
	c := Change{Key: append([]byte{}, key...), Time: time}
	if value != nil {
		c.Value = append([]byte{}, value...)
	}
	s.log = append(s.log, c)
}

// Logged calls fn for what was logged since the last Commit or Rollback.
func (s *Store) Logged(fn func(Change) error) error {
	for _, c := range s.log {
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}
