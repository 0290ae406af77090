package state

import "hash/maphash"

// A filter knows of keys: of those that were added to it, and of one in a hundred or so
// of the others. It is a Bloom filter whose bits for a key are all in one line of the
// CPU's caches, and which grows: by layers, each four times as large as the one before.
type filter struct {
	layers [][]line
	room   int   // how many keys more the last one is for
	bytes  int64 // of the layers
}

type line [8]uint64

const (
	lineBytes  = 64
	lineKeys   = lineBytes * 8 / 12 // twelve bits for each
	firstLayer = 16                 // lines
	probes     = 6
)

var hashSeed = maphash.MakeSeed()

func hash(key []byte) uint64 { return maphash.Bytes(hashSeed, key) }

// add adds a key by its hash.
func (f *filter) add(h uint64) {
	if f.has(h) {
		return
	}
	if f.room == 0 {
		lines := firstLayer << (2 * len(f.layers))
		f.layers, f.room = append(f.layers, make([]line, lines)), lines*lineKeys
		f.bytes += int64(lines) * lineBytes
	}
	f.room--
	at, bits := place(h, f.layers[len(f.layers)-1])
	for range probes {
		at[bits>>6&7] |= 1 << (bits & 63)
		bits >>= 9
	}
}

// has reports whether a key was added, or might have been.
func (f *filter) has(h uint64) bool {
	for i := len(f.layers) - 1; i >= 0; i-- {
		if all(place(h, f.layers[i])) {
			return true
		}
	}
	return false
}

func all(at *line, bits uint64) bool {
	for range probes {
		if at[bits>>6&7]&(1<<(bits&63)) == 0 {
			return false
		}
		bits >>= 9
	}
	return true
}

// place is the line of a key, and where in it its bits are, nine bits for each.
func place(h uint64, layer []line) (*line, uint64) {
	return &layer[h>>32*uint64(len(layer))>>32], h * 0x9e3779b97f4a7c15 >> 10
}

// next is how much memory it takes once another key has been added.
func (f *filter) next() int64 {
	if f.room > 0 {
		return f.bytes
	}
	return f.bytes + lineBytes*firstLayer<<(2*len(f.layers))
}
