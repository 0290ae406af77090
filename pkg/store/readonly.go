package store

import (
	"iter"

	"github.com/leatstream/leat/internal/state"
)

// A ReadOnly reads a key-value store that is filled from elsewhere: a global table's.
// It belongs to the goroutine that opened it; another may open its own.
type ReadOnly[K, V any] struct {
	d   KV[K, V]
	s   *state.Shared
	key []byte
	val []byte
}

// OpenShared returns a view of s, which holds what d describes. It is for leat's own
// operators.
func (d KV[K, V]) OpenShared(s *state.Shared) *ReadOnly[K, V] { return &ReadOnly[K, V]{d: d, s: s} }

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
	raw, at, ok, err := v.s.Get(v.key, &v.val)
	if err != nil || !ok {
		return val, 0, false, err
	}
	val, err = v.d.value.Decode(raw)
	return val, at, true, err
}

// All returns every entry, as they are when the sequence begins, in the order of the
// encoded keys. After an error the sequence ends.
func (v *ReadOnly[K, V]) All() iter.Seq2[Entry[K, V], error] {
	return v.d.scan(v.s, nil, nil, false)
}

// Range returns the entries from lo, inclusive, to hi, exclusive, as All does.
func (v *ReadOnly[K, V]) Range(lo, hi K) iter.Seq2[Entry[K, V], error] {
	return v.d.span(v.s, lo, hi, forward)
}
