package state

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A packed cache holds entries as the engine has them, in a sixth of the memory that an
// entry takes which can be written to. They are in segments, one after the other, and the
// segment that was begun first is the first to go. A table of hashes tells where
// they are.
//
// What it has of a key is right unless the store has an entry of that key.
type packed struct {
	most     int64 // bytes that it may take
	segments []segment
	order    []int32 // the numbers of those in use, the oldest first
	free     []int32 // the numbers of the others
	begun    uint32  // how many segments were
	buckets  []bucket
	found    int // by the table
}

// A segment is filled from its start: of every entry two lengths, two bytes each, the key
// and the value.
type segment struct {
	data []byte
	born uint32 // how many were begun before it
}

// A bucket of the table fills a line of the CPU's caches. One that has no room for
// another entry forgets one.
type bucket struct {
	at   [ways]uint32 // number of the segment, and where in it
	tags [ways]uint8  // of the hashes; 0: free
	turn uint8        // whose turn it is to be forgotten
}

const (
	mostPacked  = segmentBytes / 4 // bytes of an entry
	leastPacked = 2 * segmentBytes // of the cache, if there is to be one

	ways         = 12
	wayLoad      = 9 // of them are used in the mean, at most
	bucketBytes  = 64
	segmentShift = 14
	segmentBytes = 1 << segmentShift
	packedHead   = 4
	mostSegments = 1 << (32 - segmentShift)
)

func (p *packed) bytes() int64 {
	return int64(len(p.order))*segmentBytes + int64(len(p.buckets))*bucketBytes
}

// get returns the value of a key, which is valid until the next call; nil if it is not
// there.
func (p *packed) get(h uint64, key []byte) []byte {
	if b, way := p.find(h, key); b != nil {
		_, raw := p.entry(b.at[way])
		return raw
	}
	return nil
}

func (p *packed) find(h uint64, key []byte) (*bucket, int) {
	if p.found == 0 {
		return nil, 0
	}
	b, tag := p.bucket(h)
	for way := range ways {
		if b.tags[way] != tag {
			continue
		}
		if k, _ := p.entry(b.at[way]); bytes.Equal(k, key) {
			return b, way
		}
	}
	return nil, 0
}

func (p *packed) bucket(h uint64) (b *bucket, tag uint8) {
	return &p.buckets[h>>32*uint64(len(p.buckets))>>32], uint8(h) | 1
}

func (p *packed) entry(at uint32) (key, raw []byte) {
	data := p.segments[at>>segmentShift].data[at&(segmentBytes-1):]
	k, v := int(binary.LittleEndian.Uint16(data)), int(binary.LittleEndian.Uint16(data[2:]))
	return data[packedHead : packedHead+k], data[packedHead+k : packedHead+k+v]
}

// put sets the value of a key, or forgets the key if it cannot.
func (p *packed) put(h uint64, key, raw []byte) {
	if b, way := p.find(h, key); b != nil {
		at := b.at[way]
		if _, old := p.entry(at); len(old) == len(raw) && !p.old(at>>segmentShift) {
			copy(old, raw)
			return
		}
		p.clear(b, way)
	}
	if packedHead+len(key)+len(raw) > mostPacked || p.most < leastPacked {
		return
	}
	if p.found >= wayLoad*len(p.buckets) {
		p.grow()
		p.limit(p.most)
	}
	p.index(h, p.append(key, raw))
}

// old reports whether a segment will soon go: what is still of use is not to go with it.
func (p *packed) old(number uint32) bool {
	return int(p.begun-p.segments[number].born) > len(p.order)/4*3
}

// remove forgets a key.
func (p *packed) remove(h uint64, key []byte) {
	if b, way := p.find(h, key); b != nil {
		p.clear(b, way)
	}
}

func (p *packed) clear(b *bucket, way int) {
	b.tags[way] = 0
	p.found--
}

// append adds an entry to the newest segment, or to a new one.
func (p *packed) append(key, raw []byte) (at uint32) {
	n := len(p.order)
	if n == 0 || len(p.segments[p.order[n-1]].data)+packedHead+len(key)+len(raw) > segmentBytes {
		p.begin()
		n = len(p.order)
	}
	number := p.order[n-1]
	data := p.segments[number].data
	at = uint32(number)<<segmentShift | uint32(len(data))
	data = binary.LittleEndian.AppendUint16(data, uint16(len(key)))
	data = binary.LittleEndian.AppendUint16(data, uint16(len(raw)))
	p.segments[number].data = append(append(data, key...), raw...)
	return at
}

// begin begins a segment, in the place of the oldest one if there may not be another.
func (p *packed) begin() {
	s := segment{born: p.begun}
	if full := p.bytes()+segmentBytes > p.most || len(p.order) == mostSegments; full && len(p.order) > 0 {
		s.data = p.drop()[:0]
	} else {
		s.data = make([]byte, 0, segmentBytes)
	}
	p.begun++
	number := int32(len(p.segments))
	if n := len(p.free); n > 0 {
		number, p.free = p.free[n-1], p.free[:n-1]
		p.segments[number] = s
	} else {
		p.segments = append(p.segments, s)
	}
	p.order = append(p.order, number)
}

// drop forgets the oldest segment, and returns its memory.
func (p *packed) drop() []byte {
	number := p.order[0]
	data := p.segments[number].data
	p.walk(number, func(h uint64, at uint32) {
		b, tag := p.bucket(h)
		for way := range ways {
			if b.tags[way] == tag && b.at[way] == at {
				p.clear(b, way)
			}
		}
	})
	p.order, p.free = slices.Delete(p.order, 0, 1), append(p.free, number)
	p.segments[number].data = nil
	return data
}

// walk calls fn for every entry that was written to a segment.
func (p *packed) walk(number int32, fn func(h uint64, at uint32)) {
	for off := 0; off < len(p.segments[number].data); {
		at := uint32(number)<<segmentShift | uint32(off)
		key, raw := p.entry(at)
		fn(hash(key), at)
		off += packedHead + len(key) + len(raw)
	}
}

// index makes an entry found.
func (p *packed) index(h uint64, at uint32) {
	if len(p.buckets) == 0 {
		p.grow()
	}
	b, tag := p.bucket(h)
	way := bytes.IndexByte(b.tags[:], 0)
	if way < 0 {
		way = int(b.turn)
		b.turn = uint8((way + 1) % ways)
		p.found--
	}
	b.at[way], b.tags[way] = at, tag
	p.found++
}

// grow doubles the table.
func (p *packed) grow() {
	small := p.buckets
	p.buckets, p.found = make([]bucket, max(2*len(small), 16)), 0
	for i := range small {
		for way, tag := range small[i].tags {
			if tag != 0 {
				at := small[i].at[way]
				key, _ := p.entry(at)
				p.index(hash(key), at)
			}
		}
	}
}

// limit says how much memory the cache may take.
func (p *packed) limit(most int64) {
	p.most = most
	for p.bytes() > most && len(p.order) > 0 {
		p.drop()
	}
	if len(p.order) == 0 {
		*p = packed{most: most}
	}
}
