package task

import "unsafe"

// An Arena holds the bytes of one transaction's outputs in large pieces, which
// are used again after a commit.
type Arena struct {
	chunk []byte
	full  [][]byte
	spare [][]byte
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
	if last := len(a.spare) - 1; last >= 0 {
		a.chunk, a.spare = a.spare[last], a.spare[:last]
		return
	}
	a.chunk = make([]byte, 0, chunkSize)
}

// reset frees everything for use again. Nobody may be reading it any more.
func (a *Arena) reset() {
	for _, c := range a.full {
		a.spare = append(a.spare, c[:0])
	}
	a.full = a.full[:0]
	a.chunk = a.chunk[:0]
}

// drop forgets everything: somebody may still be reading it.
func (a *Arena) drop() { *a = Arena{} }
