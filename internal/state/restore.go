package state

import (
	"encoding/binary"

	"github.com/leatstream/leat/internal/engine"
)

// A Restorer brings a store up to its changelog: changes go straight to the
// engine, in batches that each carry the position they bring it up to.
type Restorer struct {
	s     *Store
	batch engine.Batch
	arena []byte
}

// NewRestorer returns a restorer of s, which must have no open transaction.
// What the engine did not have yet is written to it first, and what was cached
// is forgotten. The store must not be used before the last Write.
func NewRestorer(s *Store) (*Restorer, error) {
	r := &Restorer{s: s}
	if s.Flush(&r.batch); len(s.pending) > 0 {
		if err := s.eng.Write(&r.batch); err != nil {
			return nil, s.fail("flush", err)
		}
		s.Flushed()
	}
	r.batch.Reset()
	clear(s.entries)
	s.bytes = 0
	return r, nil
}

// Apply adds a committed change; a nil value deletes the key. Key and value
// must stay as they are until Write.
func (r *Restorer) Apply(key, value []byte, time int64) {
	if value == nil {
		r.batch.Delete(r.s.ns, key)
		return
	}
	if cap(r.arena)-len(r.arena) < len(value)+stampSize {
		r.arena = make([]byte, 0, max(1<<20, len(value)+stampSize)) // the batch keeps the full one
	}
	at := len(r.arena)
	r.arena = binary.BigEndian.AppendUint64(r.arena, uint64(time))
	r.arena = append(r.arena, value...)
	r.batch.Set(r.s.ns, key, r.arena[at:len(r.arena):len(r.arena)])
}

// Write makes the changes so far, together with p, committed state.
func (r *Restorer) Write(p engine.Position) error {
	r.batch.SetPosition(r.s.ns, p)
	if err := r.s.eng.Write(&r.batch); err != nil {
		return r.s.fail("restore", err)
	}
	r.s.SetPosition(p)
	r.s.posSent = true
	r.batch.Reset()
	r.arena = r.arena[:0]
	return nil
}

// Wipe drops all that the engine holds for s: it restores from the beginning.
func (s *Store) Wipe() error {
	if err := s.eng.Drop(s.ns); err != nil {
		return s.fail("wipe", err)
	}
	*s = Store{ns: s.ns, eng: s.eng, entries: map[string]*entry{}, posSent: true}
	return nil
}
