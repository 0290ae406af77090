package state

import "math"

// A census knows of most keys that the engine does not have, so that it need not be asked
// for them: the first record of a key, or of a window, is a read in vain otherwise.
//
// It is taken by and by, so many keys at every so many reads that come to it, since a
// store may be opened with any number of keys. Nothing it says counts before it is
// complete: then a key that the engine has was met, or has been flushed since.
type census struct {
	filter   filter
	complete bool
	off      bool   // there are too many keys
	taken    int64  // bytes of the filter when it was completed last
	cursor   []byte // where the next step begins
	reads    int    // since the last one
	most     int64  // bytes that it may take
}

// censusStep is how many reads come between two steps, and how many keys a step looks at:
// an iterator costs as much as some reads.
const censusStep = 256

func newCensus() census { return census{most: math.MaxInt64, reads: censusStep - 1} }

// lacks reports whether the engine is known not to have a key.
func (c *census) lacks(h uint64) bool { return c.complete && !c.filter.has(h) }

// note says that the engine has a key.
func (c *census) note(h uint64) {
	if !c.off && c.filter.next() > c.most {
		c.overflow()
	}
	if !c.off {
		c.filter.add(h)
	}
}

// overflow begins the census anew, if many of the keys may have been deleted since it was
// completed.
func (c *census) overflow() {
	*c = census{most: c.most, off: !c.complete || c.taken > c.most/4}
}

// limit says how much memory the census may take.
func (c *census) limit(most int64) {
	if c.most = most; c.filter.bytes > most {
		c.overflow()
	}
}

// survey goes on with the census of what the engine has.
func (s *Store) survey() error {
	c := &s.census
	if c.complete || c.off {
		return nil
	}
	if c.reads++; c.reads < censusStep {
		return nil
	}
	c.reads = 0
	it, err := s.eng.Range(s.ns, c.cursor, nil, false)
	if err != nil {
		return err
	}
	met := 0
	for ; met < censusStep && !c.off && it.Next(); met++ {
		c.note(hash(it.Key()))
		c.cursor = append(append(c.cursor[:0], it.Key()...), 0)
	}
	if err := it.Close(); err != nil {
		return err
	}
	if met < censusStep && !c.off {
		c.complete, c.cursor, c.taken = true, nil, c.filter.bytes
	}
	return nil
}
