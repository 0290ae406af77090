// Package wire holds the bytes of Kafka Streams' internal topics that are neither
// plain keys and values nor a store's: the change records of tables that are grouped
// anew, and the subscriptions and responses of foreign-key joins. It is pure: bytes
// in, bytes out.
package wire

import (
	"encoding/binary"
	"errors"
)

// ErrFormat is wrapped by the error of bytes that are not what they should be.
var ErrFormat = errors.New("wire: not a record of Kafka Streams")

// A change record (KIP-904) ends with a byte that says which values are in it:
//
//	{old}{0}, {new}{1}, {varint length of new}{new}{old}{2}
const (
	changeOld  = 0
	changeNew  = 1
	changeBoth = 2
)

// AppendChange appends the record of a change from old to new, nil where there is no
// such value. One of them must be there.
func AppendChange(dst, old, new []byte) []byte {
	switch {
	case old == nil:
		return append(append(dst, new...), changeNew)
	case new == nil:
		return append(append(dst, old...), changeOld)
	}
	dst = binary.AppendVarint(dst, int64(len(new)))
	return append(append(append(dst, new...), old...), changeBoth)
}

// Change returns the values of a change record, nil where there is none. They are
// parts of b.
func Change(b []byte) (old, new []byte, err error) {
	if len(b) == 0 {
		return nil, nil, ErrFormat
	}
	body := b[: len(b)-1 : len(b)-1]
	switch b[len(b)-1] {
	case changeOld:
		return body, nil, nil
	case changeNew:
		return nil, body, nil
	case changeBoth:
		n, used := binary.Varint(body)
		if used <= 0 || n < 0 || n > int64(len(body)-used) {
			return nil, nil, ErrFormat
		}
		new, old = body[used:used+int(n)], body[used+int(n):]
		return old, new, nil
	}
	return nil, nil, ErrFormat
}
