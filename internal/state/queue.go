package state

import (
	"encoding/binary"
	"fmt"
)

// Queue is the layout of a store whose entries wait for a time, which the last eight
// bytes of their values say. An entry's key is a one and then the changelog key. It
// has a second entry, which holds nothing and is not logged and by which the entries
// are walked in the order of their times: a zero, the time in eight bytes, and then
// the changelog key.
type Queue struct{}

const (
	queueOrder = 0
	queueEntry = 1
)

// Entry appends the key of an entry to dst.
func (Queue) Entry(dst, key []byte) []byte { return append(append(dst, queueEntry), key...) }

// Order appends the key of a second entry to dst.
func (Queue) Order(dst, key []byte, time int64) []byte {
	return append(binary.BigEndian.AppendUint64(append(dst, queueOrder), uint64(time)), key...)
}

// Entries are the bounds of the entries.
func (Queue) Entries() (lo, hi []byte) { return []byte{queueEntry}, []byte{queueEntry + 1} }

// Orders are the bounds of the second entries.
func (Queue) Orders() (lo, hi []byte) { return []byte{queueOrder}, []byte{queueEntry} }

// Ordered is the time and the changelog key that the key of a second entry holds.
func (Queue) Ordered(local []byte) (time int64, key []byte) {
	return int64(binary.BigEndian.Uint64(local[1:])), local[1+timeSize:]
}

// Logged implements Layout.
func (Queue) Logged(key []byte) []byte {
	if key[0] == queueOrder {
		return nil
	}
	return key[1:]
}

// Replay implements Layout.
func (q Queue) Replay(r *Restorer, key, value []byte, time int64) error {
	if value != nil && len(value) < timeSize {
		return fmt.Errorf("a value of %d bytes is too short to hold a time", len(value))
	}
	was := int64(-1)
	err := r.Merge(q.Entry(r.room(1+len(key)), key), func(old []byte, _ int64) ([]byte, int64) {
		if old != nil {
			was = queueTime(old)
		}
		return value, time
	})
	if err != nil {
		return err
	}
	if was >= 0 {
		r.Set(q.Order(r.room(1+timeSize+len(key)), key, was), nil, time)
	}
	if value != nil {
		r.Set(q.Order(r.room(1+timeSize+len(key)), key, queueTime(value)), []byte{}, time)
	}
	return nil
}

func queueTime(value []byte) int64 {
	return int64(binary.BigEndian.Uint64(value[len(value)-timeSize:]))
}
