package state

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/leatstream/leat/internal/engine"
)

// A Change is one key's difference from the committed state. Its slices belong
// to the store and stay as they are until the key is written again.
type Change struct {
	Key     []byte
	Value   []byte // nil: deleted
	Time    int64  // of the value or the tombstone, in ms
	Old     []byte // the committed value; nil: none
	OldTime int64
	OldRead bool // Old is known: the key was read before it was written
}

// Changes calls fn for every key changed since the last Commit or Rollback, in
// the order of first change.
func (s *Store) Changes(fn func(Change) error) error { return changes(s.dirty, fn) }

// LastChanges is Changes in the order of last change: what became of a key is told
// where it became so, among what became of the others.
func (s *Store) LastChanges(fn func(Change) error) error {
	s.byLast = append(s.byLast[:0], s.dirty...)
	slices.SortFunc(s.byLast, func(a, b *entry) int { return cmp.Compare(a.changed, b.changed) })
	defer clear(s.byLast)
	return changes(s.byLast, fn)
}

func changes(entries []*entry, fn func(Change) error) error {
	for _, e := range entries {
		c := Change{Key: e.key, Time: e.cur.time(), OldRead: e.old.known}
		if e.cur.ok {
			c.Value = e.cur.data()
		}
		if e.old.ok {
			c.Old, c.OldTime = e.old.data(), e.old.time()
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

// Committed returns the committed value of a key that was changed without having been
// read, nil if there is none; the caller owns it. Change.OldRead says which those are.
func (s *Store) Committed(key []byte) ([]byte, error) {
	value, _, _, err := s.committed(key)
	return value, err
}

func (s *Store) committed(key []byte) (data []byte, time int64, ok bool, err error) {
	raw, ok, err := s.fetch(hash(key), key, nil)
	if err != nil || !ok {
		return nil, 0, false, err
	}
	v, err := parse(raw)
	if err != nil {
		return nil, 0, false, s.fail("read", err)
	}
	return v.data(), v.time(), true, nil
}

// Dirty reports whether anything was changed since the last Commit or Rollback.
func (s *Store) Dirty() bool { return len(s.dirty) > 0 }

// Commit makes the changes committed state.
func (s *Store) Commit() {
	for _, e := range s.dirty {
		e.dirty = false
		if !e.pending && !e.cur.ok && e.absent { // it came and went
			s.forget(e)
			continue
		}
		s.logged += int64(len(e.key) + len(e.cur.raw))
		if !e.pending {
			e.pending = true
			s.pending = append(s.pending, e)
		}
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	s.committedTime, s.committedNumber = s.observed, s.number
	s.log = s.log[:0]
	s.expire()
}

// Rollback drops the changes. The buffers of dropped values are left to the
// garbage collector, because a producer may still hold them.
func (s *Store) Rollback() {
	s.Release()
	s.observed, s.expiring, s.number, s.log = s.committedTime, s.floor, s.committedNumber, nil
	for _, e := range s.dirty {
		e.dirty = false
		e.cur, e.old = e.old, value{}
		s.settle(e)
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
}

// settle tidies up after the only change of e was taken back.
func (s *Store) settle(e *entry) {
	s.account(e)
	s.place(e)
	if !e.cur.known {
		s.forget(e)
	}
}

// Position is what the committed state is true for: every committed change
// below its offset is in it. ok is false for a store that never had one.
func (s *Store) Position() (p engine.Position, ok bool) { return s.pos, s.hasPos }

// SetPosition says what the committed state is true for from now on.
func (s *Store) SetPosition(p engine.Position) {
	s.pos, s.hasPos, s.posSent = p, true, false
}

// Behind is how many changelog bytes the engine does not have, and whether
// there is anything, be it only a position, that Flush would tell it.
func (s *Store) Behind() (bytes int64, any bool) {
	return s.logged, len(s.pending) > 0 || !s.posSent || !s.floorSent || s.forms.changed()
}

// mostSorted is how many entries a flush puts in order. For more of them it would take a
// task's records too long to wait: a second for a million.
const mostSorted = 32 << 10

// Flush adds to b every committed change that the engine does not have, and the
// position. Flushed must follow once b is written, with no write between.
// It may only be called when nothing is dirty: the engine holds committed state
// alone.
func (s *Store) Flush(b *engine.Batch) {
	if len(s.dirty) > 0 {
		panic("state: flush of an open transaction")
	}
	// In order they cost the engine less: each belongs beside the one before.
	if len(s.pending) <= mostSorted {
		slices.SortFunc(s.pending, func(a, b *entry) int { return bytes.Compare(a.key, b.key) })
	}
	for _, e := range s.pending {
		if e.cur.ok {
			b.Set(s.ns, e.key, e.cur.raw)
			s.census.note(hash(e.key))
			s.forms.noteOwn(s.layout, e.key, e.cur.data())
		} else if !e.absent {
			b.Delete(s.ns, e.key)
		}
	}
	if !s.floorSent {
		b.DeleteBelow(s.ns, s.floorKey())
	}
	if s.hasPos {
		b.SetPosition(s.ns, s.pos)
	}
	s.forms.put(b, marker(s.ns))
}

// Flushed says that the batch given to the last Flush has been written.
func (s *Store) Flushed() {
	for _, e := range s.pending {
		e.pending, e.indexed, e.absent = false, false, !e.cur.ok
	}
	if s.index != nil {
		s.index.Clear()
	}
	clear(s.pending)
	s.forms.wrote()
	s.pending, s.logged, s.posSent, s.floorSent = s.pending[:0], 0, true, true
	s.dropIndex()
}

// Bytes estimates the memory the store holds.
func (s *Store) Bytes() int64 { return s.bytes + s.packed.bytes() + s.census.filter.bytes }

// Evict forgets entries that the engine has, those not used since the last call
// first, until the store holds no more than limit bytes or nothing more can go. Most of
// the memory is for values that are kept packed.
func (s *Store) Evict(limit int64) {
	s.packed.limit(limit / 4 * 3)
	s.census.limit(limit / 4)
	s.shed(limit)
	s.packed.limit(min(s.packed.most, limit-(s.Bytes()-s.packed.bytes())))
}

func (s *Store) shed(limit int64) {
	for round := range 2 {
		s.entries.sweep(func(e *entry) bool {
			switch {
			case s.Bytes() <= limit:
				return false
			case e.dirty || e.pending:
			case e.used && round == 0:
				e.used = false
			default:
				s.pack(e)
			}
			return true
		})
	}
}
