package state

import (
	"encoding/binary"
	"fmt"

	"github.com/leatstream/leat/internal/engine"
)

// entryOverhead is about what an entry costs besides its bytes: the struct, its
// slot in the map and its place in a list.
const entryOverhead = 200

// An entry is what is known of one key.
type entry struct {
	key     []byte
	cur     value
	used    bool // since the last eviction looked
	dirty   bool
	pending bool
	absent  bool // the engine is known not to have the key
	indexed bool
	old     value // the committed value while dirty; else a buffer to reuse
	size    int64 // as accounted for
	changed int64 // counts the changes of the store
}

// A compact entry has room for its key and for both of its buffers: a read or a write of
// a key that the CPU's caches have lost then costs a miss or two less. Longer values
// get buffers of their own.
type compact struct {
	entry
	room [64]byte
}

// compactKey is the longest key of a compact entry: what is left of its room holds two
// numbers with their timestamps.
const compactKey = 32

// newEntry returns an entry with a copy of key.
func newEntry(key []byte) *entry {
	if len(key) > compactKey {
		return &entry{key: append(make([]byte, 0, len(key)), key...)}
	}
	c := &compact{}
	n := copy(c.room[:], key)
	half := n + (len(c.room)-n)/2
	c.key = c.room[:n:n]
	c.cur.raw, c.old.raw = c.room[n:n:half], c.room[half:half:len(c.room)]
	return &c.entry
}

// A value is a value, a known absence (known, not ok) or nothing known.
// raw is what the engine holds: eight bytes of timestamp, then the value. An
// absence keeps the timestamp of its tombstone.
type value struct {
	raw   []byte
	known bool
	ok    bool
}

func (v *value) data() []byte { return v.raw[stampSize:] }

func (v *value) time() int64 {
	if len(v.raw) < stampSize {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v.raw))
}

func (v *value) set(data []byte, time int64) {
	n := stampSize + len(data)
	if cap(v.raw) < n {
		v.raw = make([]byte, n)
	}
	v.raw = v.raw[:n]
	binary.BigEndian.PutUint64(v.raw, uint64(time))
	copy(v.raw[stampSize:], data)
	v.known, v.ok = true, true
}

const stampSize = 8

func parse(raw []byte) (value, error) {
	if len(raw) < stampSize {
		return value{}, fmt.Errorf("value of %d bytes has no timestamp: %w", len(raw), engine.ErrCorrupt)
	}
	return value{raw: raw, known: true, ok: true}, nil
}
