package worker

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A slab hands out records for producing. It takes all of them back when their
// transaction has ended, and before that those whose chunk has been acknowledged: a
// transaction may be much longer than what is on its way at a time.
type slab struct {
	whole  bool                                          // records stay as they are until the end: index is asked for them
	ack    func(c *chunk) func(r *kgo.Record, err error) // makes a chunk's promise
	chunks []*chunk                                      // of this transaction, in order; the last is being filled
	spare  []*chunk
	n      int   // records of the last chunk that have been handed out
	begun  int64 // records of this transaction's chunks
	most   int   // chunks at a time in this transaction
}

const slabSize = 512

// RecordBytes is what a record takes, in bytes, that waits to be sent, without key and
// value: itself, and what the client has for it.
const RecordBytes = 256

// A chunk is some records of a slab.
type chunk struct {
	records [slabSize]kgo.Record
	first   int64 // which record of the transaction is its first
	promise func(*kgo.Record, error)
	acked   atomic.Int32 // how many are; counted by the promise
	kept    int          // how many are looked at after they have been acknowledged
}

// A sent record is one that was handed out, and where it lies.
type sent struct {
	*kgo.Record
	in *chunk
}

// keep makes the record stay as it is until release, or the end of the transaction.
func (r sent) keep() { r.in.kept++ }

// release is the end of keep. The zero value has nothing to release.
func (r sent) release() {
	if r.in != nil {
		r.in.kept--
	}
}

// next returns an empty record. Its chunk's promise must be called for it.
func (s *slab) next() sent {
	if len(s.chunks) == 0 || s.n == slabSize {
		s.grow()
	}
	c := s.chunks[len(s.chunks)-1]
	r := &c.records[s.n]
	s.n++
	return sent{r, c}
}

func (s *slab) grow() {
	if !s.whole {
		s.reclaim()
	}
	if len(s.spare) == 0 {
		c := &chunk{}
		c.promise = s.ack(c)
		s.spare = append(s.spare, c)
	}
	last := len(s.spare) - 1
	s.spare[last].first = s.begun
	s.chunks, s.n, s.begun = append(s.chunks, s.spare[last]), 0, s.begun+slabSize
	s.spare[last] = nil
	s.spare = s.spare[:last]
	s.most = max(s.most, len(s.chunks))
}

// acked is how many of the transaction's records have been acknowledged: the first ones,
// without a gap, by whole chunks.
func (s *slab) acked() int64 {
	for _, c := range s.chunks {
		if c.acked.Load() < slabSize {
			return c.first
		}
	}
	return s.begun
}

// reclaim takes back the chunks that nobody looks at any more.
func (s *slab) reclaim() {
	busy := s.chunks[:0]
	for _, c := range s.chunks {
		if c.kept == 0 && c.acked.Load() == slabSize {
			s.recycle(c, slabSize)
		} else {
			busy = append(busy, c)
		}
	}
	clear(s.chunks[len(busy):])
	s.chunks = busy
}

// recycle makes a chunk of which n records were handed out a spare one.
func (s *slab) recycle(c *chunk, n int) {
	c.kept = 0
	c.acked.Store(0)
	clear(c.records[:n]) // what they refer to can go
	s.spare = append(s.spare, c)
}

// index is which of the records since the last reset r is; -1 if it is none. The slab
// must be one that keeps them whole.
func (s *slab) index(r *kgo.Record) int {
	for i, c := range s.chunks {
		for j := range c.records {
			if &c.records[j] == r {
				return i*slabSize + j
			}
		}
	}
	return -1
}

// reset takes the records back: no producer may hold one any more.
func (s *slab) reset() {
	for i, c := range s.chunks {
		n := slabSize
		if i+1 == len(s.chunks) {
			n = s.n
		}
		s.recycle(c, n)
	}
	clear(s.chunks)
	s.chunks, s.n, s.begun = s.chunks[:0], 0, 0
	if keep := 2 * max(1, s.most); len(s.spare) > keep {
		clear(s.spare[keep:])
		s.spare = s.spare[:keep] // a burst is over
	}
	s.most = 0
}

// bytes is what the slab takes.
func (s *slab) bytes() int64 { return int64(len(s.chunks)+len(s.spare)) * slabSize * RecordBytes }

// drop forgets the records: a producer may still hold some.
func (s *slab) drop() { *s = slab{} }
