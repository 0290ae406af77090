// Package murmur is the hash by which Kafka's own clients choose a partition for
// a key: MurmurHash2 with Kafka's seed, by Austin Appleby, in the public domain.
package murmur

import "encoding/binary"

const (
	seed = 0x9747b28c
	m    = 0x5bd1e995
	r    = 24
)

// Hash returns the hash of b.
func Hash(b []byte) uint32 {
	h := seed ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k ^= k >> r
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// Partition returns the partition of n that key belongs to, as Kafka's default
// partitioner does.
func Partition(key []byte, n int32) int32 { return int32(Hash(key)&0x7fffffff) % n }
