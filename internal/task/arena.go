package task

import (
	"slices"
	"unsafe"
)

// An Arena holds the bytes of one transaction's outputs in large pieces, which are used
// again after a commit, or once the brokers have what is in them: by any task that has its
// pieces from the same Pool.
type Arena struct {
	chunk []byte
	full  []piece
	pool  *Pool
}

// A piece is full. Nobody reads it once so many records of the transaction are with the
// brokers; it is not known yet how many if that is negative.
type piece struct {
	bytes []byte
	until int64
}

const (
	chunkSize = 256 << 10
	minTail   = 1 << 10
)

// Tail returns an empty slice to append to; Take must follow.
func (a *Arena) Tail() []byte {
	if cap(a.chunk)-len(a.chunk) < minTail {
		a.next()
	}
	return a.chunk[len(a.chunk):]
}

// Take keeps what was appended to the last Tail, wherever it ended up.
func (a *Arena) Take(b []byte) []byte {
	n := len(a.chunk)
	if unsafe.SliceData(b) != unsafe.SliceData(a.chunk[n:cap(a.chunk)]) {
		return b // it outgrew the chunk and lives on its own
	}
	a.chunk = a.chunk[:n+len(b)]
	return b[:len(b):len(b)]
}

// Copy keeps a copy of b. Null stays null.
func (a *Arena) Copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	return a.Take(append(a.Tail(), b...))
}

func (a *Arena) next() {
	if a.chunk != nil {
		a.full = append(a.full, piece{a.chunk, -1})
	}
	if a.pool == nil {
		a.pool = &Pool{}
	}
	a.chunk = a.pool.take()
}

// Full reports whether there is something that Sent may free.
func (a *Arena) Full() bool { return len(a.full) > 0 }

// Sent says that the transaction has so many records, among which is all that the task has
// written, and that at least the first acked of them are with the brokers. What only those
// refer to is used again.
func (a *Arena) Sent(records, acked int64) {
	free := 0
	for i := range a.full {
		p := &a.full[i]
		if p.until < 0 {
			p.until = records
		}
		if p.until <= acked {
			a.pool.give(p.bytes)
			free = i + 1
		}
	}
	a.full = slices.Delete(a.full, 0, free) // those are the first, since until grows
}

// reset frees everything for use again. Nobody may be reading it any more.
func (a *Arena) reset() {
	if a.chunk == nil {
		return
	}
	for _, p := range a.full {
		a.pool.give(p.bytes)
	}
	a.pool.give(a.chunk)
	clear(a.full)
	a.full, a.chunk = a.full[:0], nil
}

// drop forgets everything: somebody may still be reading it.
func (a *Arena) drop() { *a = Arena{pool: a.pool} }
