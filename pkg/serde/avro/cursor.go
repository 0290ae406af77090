package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// MaxDepth is how deep records, arrays and maps may be nested in one another, in bytes
// and in Go values: deeper ones are an error, since a decoder that follows them would
// exhaust the stack.
const MaxDepth = 1000

// maxWeightless is how many items that take no bytes one encoding may hold in all: of
// them the bytes say nothing but a number.
const maxWeightless = 1 << 16

var (
	errShort  = errors.New("the data ends in the middle of a value")
	errVarint = errors.New("a number is longer than its type allows")
	errDeep   = fmt.Errorf("is nested more than %d deep", MaxDepth)
)

// A cursor reads an encoding from its beginning to its end.
type cursor struct {
	buf        []byte
	pos        int
	depth      int
	weightless int
	chunk      []byte // that short strings are cut from; what is in it never changes
}

func (c *cursor) enter() error {
	if c.depth++; c.depth > MaxDepth {
		return errDeep
	}
	return nil
}

func (c *cursor) leave() { c.depth-- }

func (c *cursor) long() (int64, error) {
	if c.pos < len(c.buf) && c.buf[c.pos] < 0x80 {
		u := c.buf[c.pos]
		c.pos++
		return int64(u>>1) ^ -int64(u&1), nil
	}
	return c.longSlow()
}

func (c *cursor) longSlow() (int64, error) {
	u, n := binary.Uvarint(c.buf[c.pos:])
	if n <= 0 {
		if n == 0 && len(c.buf)-c.pos < binary.MaxVarintLen64 {
			return 0, errShort
		}
		return 0, errVarint
	}
	c.pos += n
	return int64(u>>1) ^ -int64(u&1), nil
}

const maxVarintLen32 = 5

func (c *cursor) int() (int32, error) {
	if c.pos < len(c.buf) && c.buf[c.pos] < 0x80 {
		u := c.buf[c.pos]
		c.pos++
		return int32(u>>1) ^ -int32(u&1), nil
	}
	start := c.pos
	v, err := c.longSlow()
	if err == nil && (v != int64(int32(v)) || c.pos-start > maxVarintLen32) {
		err = errVarint
	}
	return int32(v), err
}

// next returns n bytes, which are those of the source.
func (c *cursor) next(n int) ([]byte, error) {
	if n > len(c.buf)-c.pos {
		return nil, errShort
	}
	b := c.buf[c.pos : c.pos+n]
	c.pos += n
	return b, nil
}

const (
	maxChunk = 512 // bytes that one string may keep alive
	maxShort = 64  // longer strings are on their own
)

// text makes a string of b. The short ones of a value share memory, which is no larger
// than the value: to allocate each would take longer than all the rest.
func (c *cursor) text(b []byte) string {
	if len(b) > maxShort {
		return string(b)
	}
	if len(b) > cap(c.chunk)-len(c.chunk) {
		c.chunk = make([]byte, 0, min(len(b)+len(c.buf)-c.pos, maxChunk))
	}
	n := len(c.chunk)
	c.chunk = append(c.chunk, b...)
	return unsafe.String(unsafe.SliceData(c.chunk[n:]), len(b))
}

// bytes returns those behind their number.
func (c *cursor) bytes() ([]byte, error) {
	n, err := c.long()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, fmt.Errorf("has a length of %d", n)
	}
	if n > int64(len(c.buf)-c.pos) {
		return nil, fmt.Errorf("has a length of %d where %d bytes are left", n, len(c.buf)-c.pos)
	}
	return c.next(int(n))
}

func (c *cursor) bool() (bool, error) {
	if c.pos == len(c.buf) {
		return false, errShort
	}
	b := c.buf[c.pos]
	if b > 1 {
		return false, fmt.Errorf("a boolean is %d, want 0 or 1", b)
	}
	c.pos++
	return b == 1, nil
}

func (c *cursor) uint32() (uint32, error) {
	b, err := c.next(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (c *cursor) uint64() (uint64, error) {
	b, err := c.next(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// choice reads the place of a branch or symbol, of n.
func (c *cursor) choice(n int) (int, error) {
	i, err := c.int()
	if err == nil && (i < 0 || int(i) >= n) {
		err = fmt.Errorf("is number %d of %d", i, n)
	}
	return int(i), err
}

// block reads the number of items in the next block of an array or a map, 0 at its end.
// Each item takes least bytes or more, so a number that cannot be true is found before
// anything is allocated. The size in bytes that a block may state is not used: what is
// skipped is read like everything else.
func (c *cursor) block(least int) (int, error) {
	n, err := c.long()
	if err != nil {
		return 0, err
	}
	if n < 0 {
		if n = -n; n < 0 {
			return 0, errVarint
		}
		size, err := c.long()
		if err != nil {
			return 0, err
		}
		if size < 0 || size > int64(len(c.buf)-c.pos) {
			return 0, fmt.Errorf("has a block of %d bytes where %d are left", size, len(c.buf)-c.pos)
		}
	}
	if least > 0 {
		if n > int64((len(c.buf)-c.pos)/least) {
			return 0, fmt.Errorf("has %d items in the %d bytes that are left", n, len(c.buf)-c.pos)
		}
		return int(n), nil
	}
	if n > int64(maxWeightless-c.weightless) {
		return 0, fmt.Errorf("has %d items that take no bytes; at most %d may be in one value", n, maxWeightless)
	}
	c.weightless += int(n)
	return int(n), nil
}

// end says whether everything has been read.
func (c *cursor) end() error {
	if n := len(c.buf) - c.pos; n > 0 {
		return fmt.Errorf("%d bytes are left over", n)
	}
	return nil
}
