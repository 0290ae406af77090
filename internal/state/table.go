package state

import "bytes"

// A table finds the entries of a store by their keys. It is what a record costs most time
// with once there are more entries than the CPU's caches hold, and so it is made of as few
// lines of them as can be: a slot has the hash beside the entry, where Go's map has a line
// of parts of hashes and then one of keys. It grows leaf by leaf, so that no record waits
// for all of it (Fagin et al., Extendible Hashing, 1979).
//
// The zero value is empty.
type table struct {
	leaves []*leaf // by the last bits of hashes, a power of two; those of fewer bits are there several times
	hand   int     // the leaf at which the next sweep begins
	n      int
}

// A leaf has the entries whose hashes end with the same bits.
type leaf struct {
	slots []slot // a power of two; an entry is in the first free one from its place on
	bits  uint8
	n     int
}

type slot struct {
	hash uint64
	e    *entry
}

const (
	leastSlots = 8
	mostSlots  = 1024
)

// place is where the search for an entry begins, before it is cut to the number of slots:
// neither with the bits that the leaf has in common nor with those that a packed cache goes
// by, to which a sweep would else bring one neighbour after the other.
func (s slot) place() uint64 { return s.hash >> 32 }

func (t *table) leaf(h uint64) *leaf { return t.leaves[h&uint64(len(t.leaves)-1)] }

// len is how many entries there are.
func (t *table) len() int { return t.n }

// get returns the entry of a key that has that hash, or nil.
func (t *table) get(h uint64, key []byte) *entry {
	if t.n == 0 {
		return nil
	}
	l := t.leaf(h)
	for i := (slot{hash: h}).place(); ; i++ {
		s := &l.slots[i&uint64(len(l.slots)-1)]
		if s.e == nil {
			return nil
		}
		if s.hash == h && bytes.Equal(s.e.key, key) {
			return s.e
		}
	}
}

// touch reads where the search for a hash begins. There must be any entry.
func (t *table) touch(h uint64) uint64 {
	l := t.leaf(h)
	return l.slots[slot{hash: h}.place()&uint64(len(l.slots)-1)].hash
}

// likely returns an entry that has that hash, or nil, and looks at no entry for that.
// There must be any.
func (t *table) likely(h uint64) *entry {
	l := t.leaf(h)
	for i := (slot{hash: h}).place(); ; i++ {
		if s := &l.slots[i&uint64(len(l.slots)-1)]; s.hash == h || s.e == nil {
			return s.e
		}
	}
}

// add adds an entry, whose key must not be there.
func (t *table) add(h uint64, e *entry) {
	if t.leaves == nil {
		t.leaves = []*leaf{{slots: make([]slot, leastSlots)}}
	}
	l := t.leaf(h)
	for l.n >= len(l.slots)/4*3 {
		if len(l.slots) < mostSlots {
			l.grow()
		} else {
			t.split(l, h)
			l = t.leaf(h)
		}
	}
	l.add(slot{h, e})
	t.n++
}

// remove removes an entry that is there.
func (t *table) remove(h uint64, e *entry) {
	t.leaf(h).remove(slot{h, e})
	t.n--
}

// sweep calls fn for every entry until it returns false, beginning about where the last
// sweep has ended. fn may remove the entry that it is given.
func (t *table) sweep(fn func(*entry) bool) {
	for range t.leaves {
		t.hand &= len(t.leaves) - 1
		if l := t.leaves[t.hand]; t.hand < 1<<l.bits && !l.sweep(fn) {
			return
		}
		t.hand++
	}
}

// split makes two leaves of that of a hash.
func (t *table) split(l *leaf, h uint64) {
	if 1<<l.bits == len(t.leaves) {
		t.leaves = append(t.leaves, t.leaves...)
	}
	var halves [2]*leaf
	for i := range halves {
		halves[i] = &leaf{slots: make([]slot, mostSlots), bits: l.bits + 1}
	}
	for _, s := range l.slots {
		if s.e != nil {
			halves[s.hash>>l.bits&1].add(s)
		}
	}
	step := 1 << l.bits
	for i := int(h) & (step - 1); i < len(t.leaves); i += step {
		t.leaves[i] = halves[i>>l.bits&1]
	}
}

func (l *leaf) sweep(fn func(*entry) bool) bool {
	for i := 0; i < len(l.slots); {
		e := l.slots[i].e
		if e != nil && !fn(e) {
			return false
		}
		if l.slots[i].e == e { // else another one has taken its place
			i++
		}
	}
	return true
}

func (l *leaf) grow() {
	small := l.slots
	l.slots, l.n = make([]slot, 2*len(small)), 0
	for _, s := range small {
		if s.e != nil {
			l.add(s)
		}
	}
}

func (l *leaf) add(s slot) {
	mask := uint64(len(l.slots) - 1)
	i := s.place()
	for l.slots[i&mask].e != nil {
		i++
	}
	l.slots[i&mask] = s
	l.n++
}

// remove closes the gap with what comes behind and would not be found any more.
func (l *leaf) remove(s slot) {
	mask := uint64(len(l.slots) - 1)
	gap := s.place() & mask
	for l.slots[gap].e != s.e {
		gap = (gap + 1) & mask
	}
	for i := gap; ; {
		i = (i + 1) & mask
		next := l.slots[i]
		if next.e == nil {
			break
		}
		if (i-next.place())&mask >= (i-gap)&mask {
			l.slots[gap] = next
			gap = i
		}
	}
	l.slots[gap] = slot{}
	l.n--
}
