package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/murmur3"
)

// In a foreign-key join the left side subscribes to rows of the right one. A
// subscription travels with the foreign key as its record's key, and a response with
// the left row's key (KIP-213, KIP-775).

// A Hash tells which version of a left row a response is about. The zero value is
// that of a row which is gone. Hashes can be compared.
type Hash struct {
	sum  [16]byte
	some bool
}

const seed = 104729 // of Kafka Streams' Murmur3

// HashOf returns the hash of a left row's value; nil is a row that is gone.
func HashOf(value []byte) (h Hash) {
	if value == nil {
		return h
	}
	hi, lo := murmur3.SeedSum128(seed, seed, value)
	binary.BigEndian.PutUint64(h.sum[:8], hi)
	binary.BigEndian.PutUint64(h.sum[8:], lo)
	h.some = true
	return h
}

// An Instruction says what a subscription asks for.
type Instruction byte

const (
	// Unsubscribe ends the subscription, without a response.
	Unsubscribe Instruction = iota
	// UnsubscribeAndAnswer ends it, with a response of null.
	UnsubscribeAndAnswer
	// Answer asks for a response, of null if there is no such row.
	Answer
	// AnswerIfFound asks for a response if there is such a row.
	AnswerIfFound
)

// A Subscription is what the left side sends to the right one.
type Subscription struct {
	Hash        Hash
	Instruction Instruction
	Key         []byte // of the left row
	Partition   int32  // the left row's, where the response goes; negative: where its key belongs
}

const (
	noHash  = 0x80
	version = 0x7f
)

// AppendSubscription appends s as its current version, 1.
func AppendSubscription(dst []byte, s Subscription) []byte {
	dst = appendHash(dst, 1, s.Hash, byte(s.Instruction))
	dst = append(dst, s.Key...)
	return binary.BigEndian.AppendUint32(dst, uint32(s.Partition))
}

func appendHash(dst []byte, v byte, h Hash, more ...byte) []byte {
	if !h.some {
		return append(append(dst, v|noHash), more...)
	}
	return append(append(append(dst, v), more...), h.sum[:]...)
}

// ParseSubscription reads a subscription of version 1, or 0, which has no partition.
// Its key is a part of b.
func ParseSubscription(b []byte) (s Subscription, err error) {
	if len(b) < 2 || b[0]&version > 1 || b[1] > byte(AnswerIfFound) {
		return s, fmt.Errorf("subscription: %w", ErrFormat)
	}
	s.Instruction, s.Partition = Instruction(b[1]), -1
	rest := b[2:]
	if b[0]&noHash == 0 {
		if rest, err = s.Hash.take(rest); err != nil {
			return s, fmt.Errorf("subscription: %w", err)
		}
	}
	if b[0]&version == 1 {
		n := len(rest) - 4
		if n < 0 {
			return s, fmt.Errorf("subscription: %w", ErrFormat)
		}
		s.Partition, rest = int32(binary.BigEndian.Uint32(rest[n:])), rest[:n:n]
	}
	s.Key = rest
	return s, nil
}

func (h *Hash) take(b []byte) ([]byte, error) {
	if len(b) < len(h.sum) {
		return nil, ErrFormat
	}
	h.some = true
	return b[copy(h.sum[:], b):], nil
}

// AppendResponse appends a response: the right row's value, nil if there is none, for
// the left row's version that was asked for. An empty value reads as none.
func AppendResponse(dst []byte, h Hash, value []byte) []byte {
	return append(appendHash(dst, 0, h), value...)
}

// ParseResponse is the inverse of AppendResponse. The value is a part of b.
func ParseResponse(b []byte) (h Hash, value []byte, err error) {
	if len(b) == 0 || b[0]&version != 0 {
		return h, nil, fmt.Errorf("response: %w", ErrFormat)
	}
	rest := b[1:]
	if b[0]&noHash == 0 {
		if rest, err = h.take(rest); err != nil {
			return h, nil, fmt.Errorf("response: %w", err)
		}
	}
	if len(rest) == 0 {
		return h, nil, nil
	}
	return h, rest, nil
}

// AppendSubscriptionKey appends the key under which the right side keeps a
// subscription. Without a left key it is the prefix of all that ask for one row.
func AppendSubscriptionKey(dst, foreign, left []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(foreign)))
	return append(append(dst, foreign...), left...)
}

// SubscriptionKey returns the two keys in the key of a kept subscription, which are
// parts of b.
func SubscriptionKey(b []byte) (foreign, left []byte, err error) {
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, nil, fmt.Errorf("subscription key: %w", ErrFormat)
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	return b[4:n:n], b[n:], nil
}
