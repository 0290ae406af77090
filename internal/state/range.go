package state

import (
	"bytes"

	"github.com/tidwall/btree"

	"github.com/leatstream/leat/internal/engine"
)

// Range calls yield for the entries with lo <= key < hi in key order, or in
// reverse, until it returns false. A nil bound is open. The slices are valid
// during the call only. yield may write to the store: a key that has not been
// reached yet is seen as it is when it is reached.
func (s *Store) Range(lo, hi []byte, reverse bool, yield func(key, value []byte, time int64) bool) (err error) {
	s.buildIndex()
	s.ranges++
	defer s.endRange()
	it, err := s.eng.Range(s.ns, lo, hi, reverse)
	if err != nil {
		return s.fail("range", err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = s.fail("range", e)
		}
	}()
	m := s.merging()
	m.it, m.lo, m.hi, m.reverse = it, lo, hi, reverse
	defer m.done()
	for m.more = it.Next(); ; {
		key, v, err := m.next()
		if err != nil {
			return s.fail("range", err)
		}
		if key == nil || v.ok && !yield(key, v.data(), v.time()) {
			return nil
		}
	}
}

// buildIndex orders the entries that differ from the engine. A store that is
// never ranged over never pays for it, and one that was pays until nothing differs.
func (s *Store) buildIndex() {
	if s.indexing {
		return
	}
	if s.indexing = true; s.index == nil {
		less := func(a, b *entry) bool { return bytes.Compare(a.key, b.key) < 0 }
		s.index = btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
	}
	for _, list := range [][]*entry{s.dirty, s.pending} {
		for _, e := range list {
			s.place(e)
		}
	}
}

// endRange stops to keep the index if there is nothing in it.
func (s *Store) endRange() {
	s.ranges--
	s.dropIndex()
}

// dropIndex stops to keep the index if nothing differs from the engine: to build it
// again is free then.
func (s *Store) dropIndex() {
	if s.ranges == 0 && len(s.dirty) == 0 && len(s.pending) == 0 {
		s.indexing = false
	}
}

// A merge walks over the index and an engine iterator at once. Where both hold
// a key the index wins.
type merge struct {
	store   *Store
	it      engine.Iterator
	more    bool // it stands on an entry
	lo, hi  []byte
	reverse bool
	begun   bool
	last    []byte // the key returned last, once begun
	scratch []byte

	pivot entry // what peek seeks
	found *entry
	visit func(*entry) bool
}

// merging returns a merge, a used one if there is one: ranges may be nested.
func (s *Store) merging() *merge {
	m := s.spare
	if m == nil {
		m = &merge{store: s, last: []byte{}} // an empty key is not nil
		m.visit = m.meet
	}
	s.spare = nil
	return m
}

// done lets the merge be used again.
func (m *merge) done() {
	m.it, m.lo, m.hi, m.more, m.begun, m.found, m.pivot.key = nil, nil, nil, false, false, nil, nil
	m.store.spare = m
}

// next returns the next key of either side, nil at the end. The value is not ok
// where the key has been deleted.
func (m *merge) next() (key []byte, v value, err error) {
	e := m.peek()
	if e == nil && !m.more {
		return nil, value{}, nil
	}
	if e == nil || m.more && m.before(m.it.Key(), e.key) {
		m.advance(m.it.Key())
		m.scratch = append(m.scratch[:0], m.it.Value()...)
		v, err = parse(m.scratch)
		m.more = m.it.Next()
		return m.last, v, err
	}
	if m.more && bytes.Equal(m.it.Key(), e.key) {
		m.more = m.it.Next()
	}
	m.advance(e.key)
	return e.key, e.cur, nil
}

// advance remembers key.
func (m *merge) advance(key []byte) {
	m.last, m.begun = append(m.last[:0], key...), true
}

func (m *merge) before(a, b []byte) bool {
	if m.reverse {
		a, b = b, a
	}
	return bytes.Compare(a, b) < 0
}

// peek finds the first indexed entry past the last key. It seeks anew each time,
// so that the index may change under it.
func (m *merge) peek() *entry {
	m.found, m.pivot.key = nil, m.last
	if !m.begun && m.reverse {
		m.pivot.key = m.hi
	} else if !m.begun {
		m.pivot.key = m.lo
	}
	switch {
	case !m.reverse:
		m.store.index.Ascend(&m.pivot, m.visit)
	case m.pivot.key == nil && !m.begun:
		m.store.index.Reverse(m.visit)
	default:
		m.store.index.Descend(&m.pivot, m.visit)
	}
	return m.found
}

// meet looks at an entry that peek has come to; false ends the search.
func (m *merge) meet(e *entry) bool {
	if m.begun && !m.before(m.last, e.key) {
		return true // the pivot itself
	}
	if m.reverse && !m.begun && m.hi != nil && bytes.Compare(e.key, m.hi) >= 0 {
		return true // hi is exclusive
	}
	if m.inside(e.key) {
		m.found = e
	}
	return false
}

func (m *merge) inside(key []byte) bool {
	if m.reverse {
		return m.lo == nil || bytes.Compare(key, m.lo) >= 0
	}
	return m.hi == nil || bytes.Compare(key, m.hi) < 0
}
