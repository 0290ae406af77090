package pebble

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	pebbledb "github.com/cockroachdb/pebble/v2"

	"github.com/leatstream/leat/internal/engine"
)

// Keys, in their order in the database:
//
//	0x00 "format"                       -> the version of this layout, 4 bytes
//	0x01 store 0x00 partition           -> the namespace's position, 32 bytes
//	store 0x00 partition key            -> value
//
// A partition is 4 bytes, big-endian. The name of a store is not empty and has
// no bytes below '-', so that it sorts behind the first two kinds and its end
// cannot be mistaken.
const (
	formatKey      = "\x00format"
	positionPrefix = 0x01

	// prefixExtra is by how much the prefix of a namespace is longer than the
	// name of its store.
	prefixExtra = 1 + 4
)

// appendPrefix appends what the keys of ns begin with.
func appendPrefix(dst []byte, ns engine.Namespace) []byte {
	dst = append(dst, ns.Store...)
	dst = append(dst, 0)
	return binary.BigEndian.AppendUint32(dst, uint32(ns.Partition))
}

// validate refuses names that would let a namespace reach into another one.
// The rest of what a name may not be is for those who give names.
func validate(ns engine.Namespace) error {
	if ns.Store == "" || ns.Store[0] <= positionPrefix || strings.IndexByte(ns.Store, 0) >= 0 {
		return fmt.Errorf("pebble: %q cannot be the name of a store", ns.Store)
	}
	return nil
}

func positionKey(ns engine.Namespace) []byte {
	key := make([]byte, 0, 1+len(ns.Store)+prefixExtra)
	return appendPrefix(append(key, positionPrefix), ns)
}

// A keyBuffer is where the key of a Get is put together.
type keyBuffer struct{ key []byte }

var keyBuffers = sync.Pool{New: func() any { return new(keyBuffer) }}

func (b *keyBuffer) set(ns engine.Namespace, key []byte) error {
	b.key = append(appendPrefix(b.key[:0], ns), key...)
	return validate(ns)
}

// bounds returns the bounds of lo <= key < hi in ns.
func bounds(ns engine.Namespace, lo, hi []byte) (*pebbledb.IterOptions, error) {
	if err := validate(ns); err != nil {
		return nil, err
	}
	prefix := appendPrefix(make([]byte, 0, len(ns.Store)+prefixExtra+len(lo)), ns)
	lower := append(prefix, lo...)
	var upper []byte
	if hi == nil {
		upper = after(lower[:len(prefix)])
	} else {
		upper = append(bytes.Clone(lower[:len(prefix)]), hi...)
	}
	if bytes.Compare(lower, upper) > 0 {
		lower = upper // Pebble does not promise what it makes of bounds in the wrong order
	}
	return &pebbledb.IterOptions{LowerBound: lower, UpperBound: upper}, nil
}

// after returns the first key behind those that begin with prefix. There always
// is one: the 0x00 behind the name of the store can be counted up.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	panic("pebble: a prefix of nothing but 0xff")
}

// batchSize is how much room b takes in a batch of Pebble's, which then need
// not grow step by step. It may be a little too much.
func batchSize(b *engine.Batch) int {
	const header, perOp, perPosition = 12, 1 + 2*binary.MaxVarintLen32, 256
	size := header + b.Bytes() + perPosition*len(b.Positions)
	for i := range b.Ops {
		size += perOp + prefixExtra + len(b.Ops[i].NS.Store)
	}
	return size
}
