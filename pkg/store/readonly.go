package store

import (
	"iter"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
)

// A ReadOnly reads a key-value store that is filled from elsewhere: a global table's, or
// one that another operator of the task owns. It belongs to the goroutine that opened
// it; of a global table, another may open its own.
type ReadOnly[K, V any] struct {
	d   KV[K, V]
	in  ranged
	get func(key []byte) (value []byte, at int64, ok bool, err error)
	key []byte
}

// OpenShared returns a view of s, which holds what d describes. It is for leat's own
// operators.
func (d KV[K, V]) OpenShared(s *state.Shared) *ReadOnly[K, V] {
	var buf []byte
	return &ReadOnly[K, V]{d: d, in: s, get: func(key []byte) ([]byte, int64, bool, error) { return s.Get(key, &buf) }}
}

// Get returns the value of k and whether there is one.
func (v *ReadOnly[K, V]) Get(k K) (val V, ok bool, err error) {
	val, _, ok, err = v.Load(k)
	return val, ok, err
}

// Load is Get that also returns the value's timestamp, in ms.
func (v *ReadOnly[K, V]) Load(k K) (val V, at int64, ok bool, err error) {
	if v.key, err = v.d.key.Append(v.key[:0], k); err != nil {
		return val, 0, false, err
	}
	raw, at, ok, err := v.get(v.key)
	if err != nil || !ok {
		return val, 0, false, err
	}
	val, err = v.d.value.Decode(raw)
	return val, at, true, err
}

// All returns every entry in the order of the encoded keys: of a global table, as they
// are when the sequence begins. After an error the sequence ends.
func (v *ReadOnly[K, V]) All() iter.Seq2[Entry[K, V], error] { return v.d.scan(v.in, nil, nil, false) }

// Reversed is All in the opposite order.
func (v *ReadOnly[K, V]) Reversed() iter.Seq2[Entry[K, V], error] {
	return v.d.scan(v.in, nil, nil, true)
}

// Range returns the entries from lo, inclusive, to hi, exclusive, as All does.
func (v *ReadOnly[K, V]) Range(lo, hi K) iter.Seq2[Entry[K, V], error] {
	return v.d.span(v.in, lo, hi, forward)
}

// RangeReversed is Range in the opposite order.
func (v *ReadOnly[K, V]) RangeReversed(lo, hi K) iter.Seq2[Entry[K, V], error] {
	return v.d.span(v.in, lo, hi, backward)
}

// Prefix returns the entries whose encoded keys begin with prefix as p encodes it, as
// All does.
func (v *ReadOnly[K, V]) Prefix[P any](prefix P, p serde.Serde[P]) iter.Seq2[Entry[K, V], error] {
	return prefixed(v.d, v.in, prefix, p)
}
