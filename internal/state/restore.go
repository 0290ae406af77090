package state

import (
	"encoding/binary"

	"github.com/leatstream/leat/internal/engine"
)

// A Restorer brings a store up to its changelog: changes go straight to the
// engine, in batches that each carry the position they bring it up to.
type Restorer struct {
	// Loose makes writes that a crash may lose: they are had again from the changelog.
	Loose bool
	// Own says that this program has written what is applied, or has read it before.
	Own bool

	s      *Store
	batch  engine.Batch
	arena  []byte
	latest map[string][]byte // what the batch holds of keys that were merged
}

// NewRestorer returns a restorer of s, which must have no open transaction.
// What the engine did not have yet is written to it first, and what was cached
// is forgotten. The store must not be used before the last Write.
func NewRestorer(s *Store) (*Restorer, error) {
	r := &Restorer{s: s}
	if s.Flush(&r.batch); len(s.pending) > 0 || !s.floorSent {
		if err := s.eng.Write(&r.batch); err != nil {
			return nil, s.fail("flush", err)
		}
		s.Flushed()
	}
	r.batch.Reset()
	s.forgetAll()
	if s.resumed { // what is replayed goes by what there is, until the next Resume
		s.resumed = false
		return r, s.look()
	}
	return r, nil
}

// Apply adds a committed change as the changelog has it; a nil value is a tombstone.
// Key and value must stay as they are until Write.
func (r *Restorer) Apply(key, value []byte, time int64) error {
	if err := r.s.layout.Replay(r, key, value, time); err != nil {
		return &Error{r.s.ns, "restore", err}
	}
	return nil
}

// Set adds a write of the entry at key; a nil value deletes it. Key must stay as it is
// until Write.
func (r *Restorer) Set(key, value []byte, time int64) {
	if value == nil {
		r.batch.Delete(r.s.ns, key)
		return
	}
	if r.Own {
		r.s.forms.noteOwn(r.s.layout, key, value)
	} else {
		r.s.forms.noteEntry(r.s.layout, key, value)
	}
	raw := binary.BigEndian.AppendUint64(r.room(stampSize+len(value)), uint64(time))
	r.batch.Set(r.s.ns, key, append(raw, value...))
}

// Merge replaces the entry at key by what fn makes of it; old is nil if there is none,
// and so is its result if there is to be none. Key must stay as it is until Write.
func (r *Restorer) Merge(key []byte, fn func(old []byte, oldTime int64) (value []byte, time int64)) error {
	old, err := r.get(key)
	if err != nil {
		return err
	}
	var value []byte
	var time int64
	if old.ok {
		value, time = fn(old.data(), old.time())
	} else {
		value, time = fn(nil, 0)
	}
	r.setRow(key, value, time)
	return nil
}

// get returns the entry at key, as the batch has it or the engine.
func (r *Restorer) get(key []byte) (value, error) {
	raw, ok := r.latest[string(key)]
	if !ok {
		var err error
		if raw, ok, err = r.s.eng.Get(r.s.ns, key, nil); err != nil {
			return value{}, err
		}
	}
	if !ok || raw == nil {
		return value{}, nil
	}
	return parse(raw)
}

// row and setRow read and write entries that are read again before Write.
func (r *Restorer) row(key []byte) ([]byte, error) {
	v, err := r.get(key)
	if err != nil || !v.ok {
		return nil, err
	}
	return v.data(), nil
}

func (r *Restorer) setRow(key, row []byte, time int64) {
	if r.latest == nil {
		r.latest = map[string][]byte{}
	}
	if r.Set(key, row, time); row == nil {
		r.latest[string(key)] = nil
	} else {
		r.latest[string(key)] = r.batch.Ops[len(r.batch.Ops)-1].Value
	}
}

// Observe says that time had come to now, or later.
func (r *Restorer) Observe(now int64) {
	r.s.Observe(now)
	r.s.committedTime = r.s.observed
}

// room returns an empty slice with space for n bytes that stay as they are until
// Write.
func (r *Restorer) room(n int) []byte {
	if cap(r.arena)-len(r.arena) < n {
		r.arena = make([]byte, 0, max(min(2*cap(r.arena), 1<<20), 4<<10, n)) // the batch keeps the full one
	}
	at := len(r.arena)
	r.arena = r.arena[:at+n]
	return r.arena[at : at : at+n]
}

// Write makes the changes so far, together with p, committed state.
func (r *Restorer) Write(p engine.Position) error {
	r.batch.Loose = r.Loose
	r.s.forms.put(&r.batch, marker(r.s.ns))
	r.batch.SetPosition(r.s.ns, p)
	if err := r.s.eng.Write(&r.batch); err != nil {
		return r.s.fail("restore", err)
	}
	r.s.forgetAll()
	r.s.SetPosition(p)
	r.s.posSent = true
	r.s.forms.wrote()
	r.batch.Reset()
	r.arena = r.arena[:0]
	clear(r.latest)
	return nil
}

// Wipe drops all that the engine holds for s: it restores from the beginning.
func (s *Store) Wipe() error {
	if err := s.eng.Drop(s.ns); err != nil {
		return s.fail("wipe", err)
	}
	s.forms.empty()
	*s = Store{ns: s.ns, eng: s.eng, layout: s.layout, forms: s.forms, census: newCensus(), posSent: true, floorSent: true}
	s.begin()
	return nil
}
