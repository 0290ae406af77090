package task

import "unsafe"

// An Arena holds the bytes of one transaction's outputs in large pieces, which
// are used again after a commit: by any task that has its pieces from the same Pool.
type Arena struct {
	chunk []byte
	full  [][]byte
	pool  *Pool
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
		a.full = append(a.full, a.chunk)
	}
	if a.pool == nil {
		a.pool = &Pool{}
	}
	a.chunk = a.pool.take()
}

// reset frees everything for use again. Nobody may be reading it any more.
func (a *Arena) reset() {
	if a.chunk == nil {
		return
	}
	for i, c := range append(a.full, a.chunk) {
		a.pool.spare = append(a.pool.spare, c[:0])
		if i < len(a.full) {
			a.full[i] = nil
		}
	}
	a.full, a.chunk = a.full[:0], nil
}

// drop forgets everything: somebody may still be reading it.
func (a *Arena) drop() { *a = Arena{pool: a.pool} }
