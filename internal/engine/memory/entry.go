package memory

import "unsafe"

// An entry is a key and its value, which stand one behind the other in memory that is
// never written to again. It takes half of what two strings do, of which the tree has
// many, and has one pointer for the garbage collector to follow.
type entry struct {
	data          *byte
	keyLen, total uint32
}

// newEntry copies key and value, with one allocation for both.
func newEntry(key, value []byte) entry {
	both := append(append(make([]byte, 0, len(key)+len(value)), key...), value...)
	return entry{unsafe.SliceData(both), uint32(len(key)), uint32(len(both))}
}

// probe is an entry to look for. It refers to key.
func probe(key []byte) entry {
	return entry{unsafe.SliceData(key), uint32(len(key)), uint32(len(key))}
}

func (e entry) key() string   { return unsafe.String(e.data, e.keyLen) }
func (e entry) value() string { return unsafe.String(e.data, e.total)[e.keyLen:] }

func (e entry) less(other entry) bool { return e.key() < other.key() }
