// Package store describes the state that a topology keeps, and reads and writes
// it.
//
// A descriptor names a store, types it and says how it is encoded. It is a value:
// declare it once, at package level, and use it to build, to process and to test.
// The bytes are kept by an engine; see the packages below this one.
package store

import (
	"bytes"
	"iter"
	"maps"
	"time"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
)

// KV describes a key-value store: one value and its timestamp per key, ordered by
// the bytes of the encoded key. Its changes go to a compacted changelog topic
// called <application>-<name>-changelog.
type KV[K, V any] struct {
	spec    Spec
	key     serde.Serde[K]
	value   serde.Serde[V]
	bounded bool
	most    int64 // entries, if it is bounded
}

// KeyValue describes the key-value store called name. The name is durable: the
// changelog topic derives from it.
func KeyValue[K, V any](name string, key serde.Serde[K], value serde.Serde[V]) KV[K, V] {
	return KV[K, V]{spec: Spec{Name: name, Logged: true}, key: key, value: value}
}

// Unlogged returns a copy of d without a changelog: the store is lost with the
// local state, and starts empty wherever its task moves.
func (d KV[K, V]) Unlogged() KV[K, V] {
	d.spec.Logged = false
	return d
}

// TopicConfig returns a copy of d whose changelog topic is created with the
// given configuration besides the defaults.
func (d KV[K, V]) TopicConfig(configs map[string]string) KV[K, V] {
	d.spec.Configs = maps.Clone(configs)
	return d
}

// Name is the store's name.
func (d KV[K, V]) Name() string { return d.spec.Name }

// Serdes are those of the store's keys and values.
func (d KV[K, V]) Serdes() (key serde.Serde[K], value serde.Serde[V]) { return d.key, d.value }

// Spec is what the runtime needs to know of the store.
func (d KV[K, V]) Spec() Spec {
	s := d.spec
	if d.bounded {
		s.Layout = state.Recent{Most: d.most}
	}
	s.Serdes = serdesOf(d.key, d.value, cutTail(0))
	return s
}

// Rows describe a store that can hold the rows of a table: a KV or a VersionedKV.
type Rows[K, V any] interface {
	Descriptor
	Serdes() (key serde.Serde[K], value serde.Serde[V])
	rows()
}

func (KV[K, V]) rows() {}

// Open returns the view of the store in s.
func (d KV[K, V]) Open(s Scope) *View[K, V] {
	st := s.OpenStore(d.spec.Name)
	d.key, d.value = placed(s, d.spec.Name, d.key, d.value)
	return &View[K, V]{d: d, s: st, scope: s}
}

// A View reads and writes one partition of a key-value store. It belongs to the
// goroutine of its task, and is not safe for concurrent use.
type View[K, V any] struct {
	d     KV[K, V]
	s     *state.Store
	scope Scope
	buf   []byte // encoded key, then encoded value
}

// An Entry is one key of a store with its value and timestamp.
type Entry[K, V any] struct {
	Key   K
	Value V
	Time  time.Time
}

// Get returns the value of k and whether there is one.
func (v *View[K, V]) Get(k K) (val V, ok bool, err error) {
	val, _, ok, err = v.Load(k)
	return val, ok, err
}

// Load is Get that also returns the value's timestamp, in ms.
func (v *View[K, V]) Load(k K) (val V, at int64, ok bool, err error) {
	if v.buf, err = v.d.key.Append(v.buf[:0], k); err != nil {
		return val, 0, false, err
	}
	raw, at, ok, err := v.get(v.buf)
	if err != nil || !ok {
		return val, 0, false, err
	}
	val, err = v.d.value.Decode(raw)
	return val, at, true, err
}

// Put sets k to val, with the timestamp of the record in hand.
func (v *View[K, V]) Put(k K, val V) error { return v.Store(k, val, v.scope.Now()) }

// Store is Put with a timestamp, in ms.
func (v *View[K, V]) Store(k K, val V, at int64) (err error) {
	if v.buf, err = v.d.key.Append(v.buf[:0], k); err != nil {
		return err
	}
	n := len(v.buf)
	b, err := v.d.value.Append(v.buf, val)
	if err != nil {
		return err
	}
	if b == nil { // the value is null
		return v.remove(v.buf, at)
	}
	v.buf = b
	return v.put(b[:n:n], b[n:], at)
}

// Delete removes k, with the timestamp of the record in hand.
func (v *View[K, V]) Delete(k K) error { return v.Remove(k, v.scope.Now()) }

// Remove is Delete with a timestamp, in ms.
func (v *View[K, V]) Remove(k K, at int64) (err error) {
	if v.buf, err = v.d.key.Append(v.buf[:0], k); err != nil {
		return err
	}
	return v.remove(v.buf, at)
}

// All returns every entry in the order of the encoded keys. The store may be
// written to meanwhile: a key that has not been reached yet is seen as it is when
// it is reached. After an error the sequence ends.
func (v *View[K, V]) All() iter.Seq2[Entry[K, V], error] {
	return v.d.scan(v.entries(), nil, nil, false)
}

// Reversed is All in the opposite order.
func (v *View[K, V]) Reversed() iter.Seq2[Entry[K, V], error] {
	return v.d.scan(v.entries(), nil, nil, true)
}

// Range returns the entries from lo, inclusive, to hi, exclusive, in the order of
// the encoded keys.
func (v *View[K, V]) Range(lo, hi K) iter.Seq2[Entry[K, V], error] {
	return v.d.span(v.entries(), lo, hi, forward)
}

// RangeReversed is Range in the opposite order.
func (v *View[K, V]) RangeReversed(lo, hi K) iter.Seq2[Entry[K, V], error] {
	return v.d.span(v.entries(), lo, hi, backward)
}

// Prefix returns the entries whose encoded keys begin with prefix as p encodes it, in
// their order.
func (v *View[K, V]) Prefix[P any](prefix P, p serde.Serde[P]) iter.Seq2[Entry[K, V], error] {
	return prefixed(v.d, v.entries(), prefix, p)
}

func prefixed[K, V, P any](d KV[K, V], in ranged, prefix P, p serde.Serde[P]) iter.Seq2[Entry[K, V], error] {
	lo, err := p.Append([]byte{}, prefix)
	if err != nil {
		return func(yield func(Entry[K, V], error) bool) { yield(Entry[K, V]{}, err) }
	}
	return d.scan(in, lo, behind(lo), false)
}

// behind is the first key that is greater than all which begin with prefix; nil if
// there is none.
func behind(prefix []byte) []byte {
	out := bytes.Clone(prefix)
	for n := len(out); n > 0; n-- {
		if out[n-1]++; out[n-1] != 0 {
			return out[:n]
		}
	}
	return nil
}

// ranged is bytes in order: a state.Store or a state.Shared.
type ranged interface {
	Range(lo, hi []byte, reverse bool, yield func(key, value []byte, time int64) bool) error
}

func (d KV[K, V]) span(in ranged, lo, hi K, order direction) iter.Seq2[Entry[K, V], error] {
	from, err := d.key.Append([]byte{}, lo)
	to, err2 := d.key.Append([]byte{}, hi)
	if err == nil {
		err = err2
	}
	if err != nil {
		return func(yield func(Entry[K, V], error) bool) { yield(Entry[K, V]{}, err) }
	}
	return d.scan(in, from, to, bool(order))
}

func (d KV[K, V]) scan(in ranged, lo, hi []byte, reverse bool) iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		done := false
		err := in.Range(lo, hi, reverse, func(key, value []byte, at int64) bool {
			e, err := d.entry(key, value, at)
			done = !yield(e, err) || err != nil
			return !done
		})
		if err != nil && !done {
			yield(Entry[K, V]{}, err)
		}
	}
}

func (d KV[K, V]) entry(key, value []byte, at int64) (e Entry[K, V], err error) {
	e.Time = time.UnixMilli(at).UTC()
	if e.Key, err = d.key.Decode(key); err != nil {
		return e, err
	}
	e.Value, err = d.value.Decode(value)
	return e, err
}

// Changed calls fn for every key changed since the last commit, with its value
// before and now. It is for leat's own operators.
func (v *View[K, V]) Changed(fn func(Change[K, V]) error) error {
	return changed(v.s, v.d.key.Decode, v.d.value, fn)
}
