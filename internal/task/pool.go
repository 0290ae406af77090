package task

import (
	"math/bits"
	"slices"
)

// A Pool has memory that tasks which share a goroutine use in turn: pieces for their
// arenas, and queues for records that wait. Tasks that have nothing to do hold none. The
// zero value is empty.
type Pool struct {
	spare  [][]byte
	least  int // spare ones since Trim
	queues [][]Message
}

// Trim lets go of half the pieces that were not needed since it was last called.
func (p *Pool) Trim() {
	left := len(p.spare) - (p.least+1)/2
	clear(p.spare[left:])
	p.spare, p.least = p.spare[:left], left
}

func (p *Pool) take() []byte {
	last := len(p.spare) - 1
	if last < 0 {
		return make([]byte, 0, chunkSize)
	}
	c := p.spare[last]
	p.spare[last] = nil
	p.spare, p.least = p.spare[:last], min(p.least, last)
	return c
}

func (p *Pool) give(c []byte) { p.spare = append(p.spare, c[:0]) }

const (
	// keptQueue is how many messages an input has always room for.
	keptQueue = 16

	// spareQueues is how many queues wait to be used again: who has just emptied one
	// makes room for who gets something next.
	spareQueues = 4
)

// takeQueue returns an empty queue with room for n messages. A nil pool makes new ones.
func (p *Pool) takeQueue(n int) []Message {
	if p != nil {
		for i, q := range slices.Backward(p.queues) {
			if cap(q) >= n {
				p.queues = slices.Delete(p.queues, i, i+1)
				return q
			}
		}
	}
	return make([]Message, 0, 1<<bits.Len(uint(n-1)))
}

// giveQueue keeps an empty queue, which must hold no messages beyond its end either, in the
// place of a smaller one if there are enough.
func (p *Pool) giveQueue(q []Message) {
	if p == nil {
		return
	}
	if p.queues = append(p.queues, q); len(p.queues) > spareQueues {
		smallest := 0
		for i := range p.queues {
			if cap(p.queues[i]) < cap(p.queues[smallest]) {
				smallest = i
			}
		}
		p.queues = slices.Delete(p.queues, smallest, smallest+1)
	}
}
