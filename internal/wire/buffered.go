package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// A suppression's buffer keeps, for every key that it holds back, the last update and
// where that came from (version 3 of its changelog):
//
//	{context}{prior}{old}{new}{8 bytes of time}
//	context: {8: timestamp}{8: offset}{topic}{4: partition}{4: headers}{key}{value}...
//
// Topic, header and value are bytes behind their length in four bytes, which is -1 for
// null and, of an old value, -2 if it equals the prior one.

// BufferedVersion is the value of the changelog header "v" beside such a value.
const BufferedVersion = 3

const (
	lengthNull  = -1
	lengthPrior = -2
)

// A Header is a key and a value beside a record. A nil value is null.
type Header struct {
	Key   string
	Value []byte
}

// A Context is where an update came from: the record that brought it, and its own
// timestamp, in ms.
type Context struct {
	Time      int64
	Offset    int64
	Topic     string
	Partition int32
	Headers   []Header
}

// AppendContext appends c to dst.
func AppendContext(dst []byte, c Context) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Time))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Offset))
	dst = appendText(dst, c.Topic)
	dst = binary.BigEndian.AppendUint32(dst, uint32(c.Partition))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(c.Headers)))
	for _, h := range c.Headers {
		dst = appendBytes(appendText(dst, h.Key), h.Value)
	}
	return dst
}

// ParseContext is the inverse of AppendContext. The values of the headers are parts of b.
func ParseContext(b []byte) (c Context, err error) {
	c, rest, err := cutContext(b)
	if err == nil && len(rest) > 0 {
		err = ErrFormat
	}
	return c, err
}

// A Buffered is what a suppression's buffer holds of a key.
type Buffered struct {
	Context         []byte // see AppendContext
	Prior, Old, New []byte // nil is null; Prior is what was there before anything was held back
	At              int64  // the time that the buffer is ordered by, ms
}

// AppendBuffered appends v to dst.
func AppendBuffered(dst []byte, v Buffered) []byte {
	dst = appendBytes(append(dst, v.Context...), v.Prior)
	if v.Old != nil && v.Prior != nil && bytes.Equal(v.Old, v.Prior) {
		dst = appendLength(dst, lengthPrior)
	} else {
		dst = appendBytes(dst, v.Old)
	}
	return binary.BigEndian.AppendUint64(appendBytes(dst, v.New), uint64(v.At))
}

// ParseBuffered is the inverse of AppendBuffered. What it returns are parts of b.
func ParseBuffered(b []byte) (v Buffered, err error) {
	rest, err := walkContext(b, func(bool, []byte) {})
	if err != nil {
		return v, err
	}
	v.Context = b[:len(b)-len(rest)]
	if v.Prior, rest, err = cutBytes(rest); err != nil {
		return v, err
	}
	if n, after, e := cutLength(rest); e == nil && n == lengthPrior {
		v.Old, rest = v.Prior, after
	} else if v.Old, rest, err = cutBytes(rest); err != nil {
		return v, err
	}
	if v.New, rest, err = cutBytes(rest); err != nil {
		return v, err
	}
	if len(rest) != 8 {
		return v, ErrFormat
	}
	v.At = int64(binary.BigEndian.Uint64(rest))
	return v, nil
}

// BufferedAt returns the time of a Buffered.
func BufferedAt(b []byte) (int64, error) {
	if len(b) < 8 {
		return 0, ErrFormat
	}
	return int64(binary.BigEndian.Uint64(b[len(b)-8:])), nil
}

// Size is what Kafka Streams counts a key and what is held of it as, in bytes.
func (v *Buffered) Size(key []byte) int64 {
	const fixed = 8 + 8 + 8 + 4 // times, offset, partition
	n := fixed + len(key) + len(v.Prior) + len(v.New)
	if !bytes.Equal(v.Old, v.Prior) {
		n += len(v.Old)
	}
	_, _ = walkContext(v.Context, func(text bool, b []byte) {
		if n += len(b); text {
			n += chars(b) - len(b)
		}
	})
	return int64(n)
}

// chars is the length that Java gives a string.
func chars(b []byte) (n int) {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if n++; r > 0xffff {
			n++
		}
		b = b[size:]
	}
	return n
}

func cutContext(b []byte) (c Context, rest []byte, err error) {
	if len(b) < 16 {
		return c, nil, ErrFormat
	}
	c.Time, c.Offset = int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))
	topic, b, err := cutBytes(b[16:])
	if err != nil || topic == nil || len(b) < 8 {
		return c, nil, ErrFormat
	}
	c.Topic, c.Partition = string(topic), int32(binary.BigEndian.Uint32(b))
	n := int32(binary.BigEndian.Uint32(b[4:]))
	b = b[8:]
	for ; n > 0; n-- {
		var key, value []byte
		if key, b, err = cutBytes(b); err != nil || key == nil {
			return c, nil, ErrFormat
		}
		if value, b, err = cutBytes(b); err != nil {
			return c, nil, err
		}
		c.Headers = append(c.Headers, Header{string(key), value})
	}
	return c, b, nil
}

// walkContext calls fn for the topic of a context and for the key and the value of each
// header, and says which are text. It returns what is behind the context.
func walkContext(b []byte, fn func(text bool, b []byte)) (rest []byte, err error) {
	if len(b) < 16 {
		return nil, ErrFormat
	}
	part, b, err := cutBytes(b[16:])
	if err != nil || len(b) < 8 {
		return nil, ErrFormat
	}
	fn(true, part)
	n := int32(binary.BigEndian.Uint32(b[4:]))
	b = b[8:]
	for n = max(0, n); n > 0; n-- {
		for _, text := range []bool{true, false} {
			if part, b, err = cutBytes(b); err != nil {
				return nil, err
			}
			fn(text, part)
		}
	}
	return b, nil
}

func appendLength(dst []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

func appendText(dst []byte, s string) []byte {
	return append(appendLength(dst, int32(len(s))), s...)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return appendLength(dst, lengthNull)
	}
	return append(appendLength(dst, int32(len(b))), b...)
}

func cutLength(b []byte) (n int32, rest []byte, err error) {
	if len(b) < 4 {
		return 0, nil, ErrFormat
	}
	return int32(binary.BigEndian.Uint32(b)), b[4:], nil
}

func cutBytes(b []byte) (value, rest []byte, err error) {
	n, rest, err := cutLength(b)
	switch {
	case err != nil:
		return nil, nil, err
	case n == lengthNull:
		return nil, rest, nil
	case n < 0 || int(n) > len(rest):
		return nil, nil, ErrFormat
	}
	return rest[:n:n], rest[n:], nil
}
