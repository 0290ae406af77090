package worker

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// newSlab returns a slab whose promises count acknowledgements, as those of a producer do.
func newSlab() *slab {
	return &slab{ack: func(c *chunk) func(*kgo.Record, error) {
		return func(_ *kgo.Record, err error) {
			if err == nil {
				c.acked.Add(1)
			}
		}
	}}
}

// hand takes n records, with their numbers as offsets.
func hand(s *slab, n int) (all []sent) {
	for i := range n {
		r := s.next()
		r.Offset = int64(i)
		all = append(all, r)
	}
	return all
}

func acknowledge(all []sent, err error) {
	for _, r := range all {
		r.in.promise(r.Record, err)
	}
}

// What is acknowledged is used again within its transaction, but not what somebody looks at still, has not been
// acknowledged, or has failed.
func TestSlabUsesAgain(t *testing.T) {
	t.Parallel()
	s := newSlab()
	first := hand(s, 4*slabSize)
	acknowledge(first[:2*slabSize], nil)
	first[slabSize+7].keep()                         // in the second chunk
	acknowledge(first[2*slabSize:3*slabSize-1], nil) // all but one of the third
	acknowledge(first[3*slabSize:], errors.New("refused"))
	again := map[*kgo.Record]bool{}
	for _, r := range hand(s, 2*slabSize) {
		again[r.Record] = true
	}
	for i, r := range first {
		if again[r.Record] != (i < slabSize) {
			t.Fatalf("record %d is used again: %v", i, again[r.Record])
		}
		if i >= slabSize && r.Offset != int64(i) {
			t.Fatalf("record %d has changed", i)
		}
	}
	first[slabSize+7].release()
	kept := hand(s, slabSize)
	if kept[0].Record != first[slabSize].Record {
		t.Error("a chunk that was released is not used again")
	}
	s.reset()
	if n := len(s.spare); n != 5 || len(s.chunks) != 0 {
		t.Errorf("%d chunks are spare", n)
	}
	for _, c := range s.spare {
		if c.kept != 0 || c.acked.Load() != 0 {
			t.Error("a chunk is not as new")
		}
	}
}

// What is acknowledged is the part of the transaction before the first chunk that has a record which is not, whether the
// chunks before it are used again or not.
func TestSlabAcknowledged(t *testing.T) {
	t.Parallel()
	s := newSlab()
	expect := func(when string, want int64) {
		t.Helper()
		if n := s.acked(); n != want {
			t.Errorf("%s the first %d are acknowledged, not %d", when, n, want)
		}
	}
	expect("of nothing", 0)
	all := hand(s, 3*slabSize)
	acknowledge(all[1:], nil)
	expect("without the first one", 0)
	acknowledge(all[:1], nil)
	expect("with it", 3*slabSize)
	all[slabSize].keep()
	more := hand(s, slabSize+1) // the chunks that nobody looks at are used again
	expect("with more that are not", 3*slabSize)
	acknowledge(more[:slabSize], nil)
	expect("with one that is not", 4*slabSize)
	s.reset()
	hand(s, 1)
	expect("of the next transaction", 0)
}

// A slab that is asked where its records are keeps all of them.
func TestSlabKeepsWhole(t *testing.T) {
	t.Parallel()
	s := newSlab()
	s.whole = true
	all := hand(s, 2*slabSize)
	acknowledge(all, nil)
	all = append(all, hand(s, slabSize)...)
	for _, i := range []int{0, slabSize - 1, slabSize, 3*slabSize - 1} {
		if n := s.index(all[i].Record); n != i {
			t.Errorf("record %d is at %d", i, n)
		}
	}
	if n := s.index(&kgo.Record{}); n != -1 {
		t.Errorf("a strange record is at %d", n)
	}
}

func TestSlabShrinks(t *testing.T) {
	t.Parallel()
	s := newSlab()
	hand(s, 40*slabSize)
	s.reset()
	if n := len(s.spare); n != 40 {
		t.Errorf("%d chunks are spare after a burst", n)
	}
	hand(s, 1)
	s.reset()
	if n := len(s.spare); n != 2 {
		t.Errorf("%d chunks are spare when it is over", n)
	}
}
