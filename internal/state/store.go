// Package state keeps one partition of one store while a task works on it:
// uncommitted changes on top of committed ones that the engine does not have
// yet, on top of the engine.
//
// A key has one entry, which holds both its current and its committed value,
// so that a read or a write costs one hash lookup. A rollback puts the committed
// values back; a commit forgets them. The package knows nothing of topics or
// types, and a Store belongs to one goroutine at a time.
package state

import (
	"bytes"

	"github.com/tidwall/btree"

	"github.com/leatstream/leat/internal/engine"
)

// A Store is one partition of one store. The zero value is not usable: see Open.
// It is not safe for concurrent use.
type Store struct {
	ns      engine.Namespace
	eng     engine.Engine
	layout  Layout
	entries table
	last    *entry // that was found
	packed  packed // what was forgotten of entries that the engine has
	census  census

	dirty     []*entry              // changed since the last Commit or Rollback, by first change
	pending   []*entry              // committed, but not in the engine
	index     *btree.BTreeG[*entry] // what a Range must know of, in key order, while indexing; else empty
	indexing  bool                  // from a Range on until nothing differs from the engine
	ranges    int                   // that are going on
	byLast    []*entry              // scratch of LastChanges
	changed   int64                 // counts changes
	journal   []undo
	marked    bool // a Mark is in force
	hindsight bool // Get is about the committed state

	pos     engine.Position // what the committed state is true for
	hasPos  bool
	posSent bool  // the engine holds pos
	bytes   int64 // held in memory
	logged  int64 // changelog bytes that the engine does not have
	scratch []byte
	guess   guess
	touched int64  // means nothing: see Touch
	spare   *merge // of a Range that is over
	err     error  // the first that the engine met

	observed      int64  // the time that has been reached, where entries expire
	resumed       bool   // observed was committed, or goes on from a time that was
	newest        int64  // no entry is later
	oldest        int64  // nor earlier than this, but for what has expired
	committedTime int64  // observed as of the last Commit
	lenient       bool   // expiry goes by committedTime
	lingers       bool   // or may do so before the next Commit
	held          spans  // where there may be entries, of those that expire
	floor         uint64 // the first segment that may hold anything
	expiring      uint64 // the floor as of the next Commit
	floorSent     bool   // the engine has been told

	onOrder func(time int64) // is told of new entries that are kept in order; nil: nobody is

	number          int64 // the last that Number gave
	committedNumber int64 // number as of the last Commit

	log []Change // what was logged since the last Commit or Rollback

	forms *formSet // of what the engine holds

	markedTime   int64 // observed, expiring and number at the Mark
	markedFloor  uint64
	markedNumber int64
	markedLog    int // the length of log
}

// Open returns the store kept under ns in eng, at the position the engine has. A nil
// layout is Plain. What was kept by another layout is dropped: the store is then
// restored from the beginning.
func Open(eng engine.Engine, ns engine.Namespace, l Layout) (*Store, error) {
	if l == nil {
		l = Plain{}
	}
	s := &Store{ns: ns, eng: eng, layout: l, census: newCensus(), posSent: true, floorSent: true}
	s.begin()
	if err := mark(eng, ns, l); err != nil {
		return nil, s.fail("layout", err)
	}
	var err error
	if s.pos, s.hasPos, err = eng.Position(ns); err != nil {
		return nil, s.fail("position", err)
	}
	if s.forms, err = loadForms(eng, marker(ns)); err != nil {
		return nil, s.fail("forms", err)
	}
	if _, ok := l.(Recent); ok {
		return s, s.recount()
	}
	return s, s.look()
}

// Namespace names the store and its partition.
func (s *Store) Namespace() engine.Namespace { return s.ns }

// Layout is the layout that the store was opened with.
func (s *Store) Layout() Layout { return s.layout }

// Get returns the current value of key and its timestamp. The value belongs to
// the store and is valid until the key is next written.
func (s *Store) Get(key []byte) (value []byte, time int64, ok bool, err error) {
	e, h := s.find(key)
	if e == nil {
		if e, err = s.load(h, key); err != nil {
			return nil, 0, false, err
		}
	}
	e.used = true
	v := &e.cur
	if s.hindsight && e.dirty {
		if v = &e.old; !v.known {
			return s.committed(key)
		}
	}
	if !v.ok {
		return nil, 0, false, nil
	}
	return v.data(), v.time(), true, nil
}

// find returns the entry of a key, or nil, and the hash of the key then.
func (s *Store) find(key []byte) (e *entry, h uint64) {
	if s.last != nil && bytes.Equal(s.last.key, key) {
		return s.last, 0 // what has been read is written next
	}
	h = hash(key)
	if e = s.entries.get(h, key); e != nil {
		s.last = e
	}
	return e, h
}

// Hindsight makes Get return what was committed last, while it is on.
func (s *Store) Hindsight(on bool) { s.hindsight = on }

// Put sets key to value with a timestamp in ms. It copies both.
func (s *Store) Put(key, value []byte, time int64) {
	e := s.change(key)
	e.cur.set(value, time)
	s.account(e)
	s.place(e)
}

// Absent tells the store that key has no value, as the caller knows from a Range that
// has shown all around it: the engine need not be asked. What the store has changed it
// knows better.
func (s *Store) Absent(key []byte) {
	if e, h := s.find(key); e == nil {
		e = s.enter(h, key)
		e.cur.known, e.absent = true, true
		s.account(e)
	}
}

// Delete removes key. The timestamp is that of the tombstone.
func (s *Store) Delete(key []byte, time int64) {
	e := s.change(key)
	e.cur.set(nil, time)
	e.cur.ok = false
	s.account(e)
	s.place(e)
}

// load makes the entry of a key from what the engine has.
func (s *Store) load(h uint64, key []byte) (*entry, error) {
	raw, ok := s.unpack(h, key), true
	if raw == nil {
		var err error
		if raw, ok, err = s.fetch(h, key, s.scratch[:0]); err != nil {
			return nil, err
		}
		s.scratch = raw
	}
	e := s.enter(h, key)
	e.cur.known, e.absent = true, !ok
	if ok {
		v, err := parse(raw)
		if err != nil {
			return nil, s.fail("read", err)
		}
		v.raw = e.cur.raw
		if cap(v.raw) < len(raw) {
			v.raw = make([]byte, 0, len(raw))
		}
		v.raw = append(v.raw, raw...)
		e.cur = v
	}
	s.account(e)
	return e, nil
}

// unpack returns what is packed of a key, nil if nothing is.
func (s *Store) unpack(h uint64, key []byte) []byte {
	if s.floor > 0 && bytes.Compare(key, s.floorKey()) < 0 {
		return nil
	}
	return s.packed.get(h, key)
}

// fetch reads the engine, unless it is known not to have the key. It appends what it finds
// to dst.
func (s *Store) fetch(h uint64, key, dst []byte) (raw []byte, ok bool, err error) {
	if err := s.survey(); err != nil {
		return nil, false, s.fail("read", err)
	}
	if s.census.lacks(h) {
		return dst, false, nil
	}
	if raw, ok, err = s.eng.Get(s.ns, key, dst); err != nil {
		return nil, false, s.fail("read", err)
	}
	return raw, ok, nil
}

// change returns the entry of key, dirty, ready to be given a current value.
func (s *Store) change(key []byte) *entry {
	e, h := s.find(key)
	if e == nil {
		e = s.enter(h, key)
	}
	e.used = true
	was := e.cur
	if s.marked {
		s.journal = append(s.journal, undo{e, e.cur, e.old, e.changed, e.dirty})
		e.cur.raw = nil // the journal keeps it
	}
	s.changed++
	e.changed = s.changed
	if e.dirty {
		return e
	}
	e.dirty = true
	s.dirty = append(s.dirty, e)
	if !s.marked {
		e.cur.raw = e.old.raw // the older buffer is written next
	}
	e.old = was
	return e
}

// place puts e into the index, or takes it out. It belongs there if it differs from the
// engine: not what was deleted before the engine had it, of which there can be many (a
// session moves whenever it grows).
func (s *Store) place(e *entry) {
	if !s.indexing {
		return
	}
	if differs := (e.dirty || e.pending) && (e.cur.ok || !e.absent); differs != e.indexed {
		if e.indexed = differs; differs {
			s.index.Set(e)
		} else {
			s.index.Delete(e)
		}
	}
}

func (s *Store) enter(h uint64, key []byte) *entry {
	e := newEntry(key)
	s.entries.add(h, e)
	s.last = e
	return e
}

// forget drops an entry, which may be of more than the engine has.
func (s *Store) forget(e *entry) {
	h := hash(e.key)
	s.packed.remove(h, e.key)
	s.drop(h, e)
}

// pack drops an entry that the engine has, and keeps its value packed.
func (s *Store) pack(e *entry) {
	h := hash(e.key)
	if e.cur.ok {
		s.packed.put(h, e.key, e.cur.raw)
	} else {
		s.packed.remove(h, e.key)
	}
	s.drop(h, e)
}

func (s *Store) drop(h uint64, e *entry) {
	s.entries.remove(h, e)
	s.bytes -= e.size
	if s.last == e {
		s.last = nil
	}
}

// forgetAll forgets what was cached: the engine is written to otherwise than by Flush.
func (s *Store) forgetAll() {
	s.entries, s.last = table{}, nil
	s.bytes, s.packed, s.census = 0, packed{}, newCensus()
}

// account brings bytes up to date with the size of e.
func (s *Store) account(e *entry) {
	size := int64(entryOverhead + cap(e.key) + cap(e.cur.raw) + cap(e.old.raw))
	s.bytes += size - e.size
	e.size = size
}

// Err is the first error that the engine met. A store that has one is not to be
// committed: what was read may be wrong.
func (s *Store) Err() error { return s.err }

func (s *Store) fail(what string, err error) error {
	err = &Error{s.ns, what, err}
	if s.err == nil {
		s.err = err
	}
	return err
}
