package store

import (
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"time"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/window"
)

// WindowStore describes a window store: values by key and by the start of a window.
// What is older than its retention expires. Its changelog keeps a day more, and its
// keys there are Kafka Streams': the key, then the start in eight bytes, then a
// sequence number in four.
type WindowStore[K, V any] struct {
	spec      Spec
	key       serde.Serde[K]
	value     serde.Serde[V]
	size      int64
	retention int64 // ms; 0: by what uses it
	repeats   bool
	ordered   bool
}

// Window describes the window store called name. The name is durable: the changelog
// topic derives from it. How long a window is and, unless Retention says more, how
// long it is kept, it takes from the operator that owns it.
func Window[K, V any](name string, key serde.Serde[K], value serde.Serde[V]) WindowStore[K, V] {
	return WindowStore[K, V]{spec: Spec{Name: name, Logged: true}, key: key, value: value}
}

// Unlogged returns a copy of d without a changelog: the store is lost with the
// local state, and starts empty wherever its task moves.
func (d WindowStore[K, V]) Unlogged() WindowStore[K, V] {
	d.spec.Logged = false
	return d
}

// TopicConfig returns a copy of d whose changelog topic is created with the
// given configuration besides the defaults.
func (d WindowStore[K, V]) TopicConfig(configs map[string]string) WindowStore[K, V] {
	d.spec.Configs = maps.Clone(configs)
	return d
}

// Retention returns a copy of d whose windows can be read until stream time is r past
// their start. The default is what its operator needs: for an aggregation, the
// windows' size and their grace period.
func (d WindowStore[K, V]) Retention(r time.Duration) WindowStore[K, V] {
	d.retention = r.Milliseconds()
	return d
}

// Sized returns a copy of d for windows of so many ms.
func (d WindowStore[K, V]) Sized(size int64) WindowStore[K, V] {
	d.size = size
	return d
}

// Repeating returns a copy of d that keeps every value put under a key and a start,
// not only the last.
func (d WindowStore[K, V]) Repeating() WindowStore[K, V] {
	d.repeats = true
	return d
}

// InOrder returns a copy of d whose entries can be walked in the order of time.
func (d WindowStore[K, V]) InOrder() WindowStore[K, V] {
	d.ordered = true
	return d
}

// Keeping returns d, with ms as its retention if it has none, and whether it keeps
// windows for so long.
func (d WindowStore[K, V]) Keeping(ms int64) (WindowStore[K, V], bool) {
	if d.retention == 0 {
		d.retention = ms
	}
	return d, d.retention >= ms
}

// Name is the store's name.
func (d WindowStore[K, V]) Name() string { return d.spec.Name }

// Serdes are the store's serdes.
func (d WindowStore[K, V]) Serdes() (key serde.Serde[K], value serde.Serde[V]) { return d.key, d.value }

// Spec is what the runtime needs to know of the store.
func (d WindowStore[K, V]) Spec() Spec {
	s := d.spec
	layout := state.NewSegments(max(1, d.retention), windowTail)
	layout.Ordered, layout.Numbered = d.ordered, d.repeats
	s.Layout = layout
	s.Configs = changelogConfig(d.retention, s.Configs)
	if d.repeats {
		s.Configs["cleanup.policy"] = "delete" // no two records have one key
		maps.Copy(s.Configs, d.spec.Configs)
	}
	s.Serdes = serdesOf(d.key, d.value, cutTail(windowTail))
	return s
}

// windowTail is what a window adds to a key: eight bytes of start, four of sequence
// number.
const windowTail = 12

// Open returns the view of the store in s.
func (d WindowStore[K, V]) Open(s Scope) *WindowView[K, V] {
	d.key, d.value = placed(s, d.spec.Name, d.key, d.value)
	return &WindowView[K, V]{expiring: newExpiring(d.spec.Name, d.key, s), d: d}
}

// A WindowView reads and writes one partition of a window store. It belongs to the
// goroutine of its task, and is not safe for concurrent use.
type WindowView[K, V any] struct {
	expiring[K]
	d WindowStore[K, V]
}

// Get returns the value of k in the window that begins at start, and whether there is
// one.
func (v *WindowView[K, V]) Get(k K, start time.Time) (val V, ok bool, err error) {
	val, _, ok, err = v.Load(k, start.UnixMilli())
	return val, ok, err
}

// Load is Get by a start in ms. It also returns the value's timestamp, in ms.
func (v *WindowView[K, V]) Load(k K, start int64) (val V, at int64, ok bool, err error) {
	if start < v.s.Live(v.segments) {
		return val, 0, false, nil
	}
	if err := v.encode(k, start); err != nil {
		return val, 0, false, err
	}
	raw, at, ok, err := v.s.Get(v.buf)
	if err != nil || !ok {
		return val, 0, false, err
	}
	val, err = v.d.value.Decode(raw)
	return val, at, true, err
}

// Put sets k in the window that begins at start to val, with the timestamp of the
// record in hand. A window that has expired is not written to; that is counted as a
// record that was late.
func (v *WindowView[K, V]) Put(k K, start time.Time, val V) error {
	return v.Store(k, start.UnixMilli(), val, v.scope.Now())
}

// Store is Put with times in ms.
func (v *WindowView[K, V]) Store(k K, start int64, val V, at int64) error {
	if !v.admit(start) {
		return nil
	}
	if err := v.encode(k, start); err != nil {
		return err
	}
	b, err := v.d.value.Append(v.buf, val)
	if err != nil {
		return err
	}
	n := len(v.buf)
	switch {
	case v.d.repeats && b == nil: // there is nothing that a null could delete
		return nil
	case v.d.repeats:
		binary.BigEndian.PutUint32(b[n-4:], v.s.Number())
	case b == nil:
		v.remove(start, at)
		return nil
	}
	v.buf = b
	return v.put(n, start, at)
}

// Delete removes k from the window that begins at start. A store that keeps every
// value deletes none before it expires.
func (v *WindowView[K, V]) Delete(k K, start time.Time) error {
	return v.Remove(k, start.UnixMilli(), v.scope.Now())
}

// Remove is Delete with times in ms.
func (v *WindowView[K, V]) Remove(k K, start int64, at int64) error {
	if v.d.repeats || !v.admit(start) {
		return nil
	}
	if err := v.encode(k, start); err != nil {
		return err
	}
	v.remove(start, at)
	return nil
}

// encode makes buf the key of an entry.
func (v *WindowView[K, V]) encode(k K, start int64) error {
	if err := v.expiring.encode(k, start); err != nil {
		return err
	}
	v.buf = binary.BigEndian.AppendUint32(v.buf, 0) // the number
	return nil
}

// Fetch returns the values of k in the windows that begin from from to to, both
// inclusive, in the order of their starts. The store may be written to meanwhile.
func (v *WindowView[K, V]) Fetch(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.fetch(k, from, to, forward)
}

// FetchReversed is Fetch in the opposite order.
func (v *WindowView[K, V]) FetchReversed(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.fetch(k, from, to, backward)
}

func (v *WindowView[K, V]) fetch(k K, from, to time.Time, d direction) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return seq(func(fn func(local, raw []byte, at int64) bool) error {
		return v.scan(k, from.UnixMilli(), to.UnixMilli(), d, fn)
	}, v.entry)
}

// Each is Fetch by times in ms: it calls fn until that returns false.
func (v *WindowView[K, V]) Each(k K, from, to int64, fn func(start int64, val V, at int64) bool) error {
	var failed error
	err := v.scan(k, from, to, forward, func(local, raw []byte, at int64) bool {
		val, err := v.d.value.Decode(raw)
		if err != nil {
			failed = err
			return false
		}
		return fn(v.time(local), val, at)
	})
	if err == nil {
		err = failed
	}
	return err
}

// All returns every live entry, by segments of time and in the order of the encoded
// keys within one. The store may be written to meanwhile.
func (v *WindowView[K, V]) All() iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.span(0, math.MaxInt64, forward)
}

// Reversed is All in the opposite order.
func (v *WindowView[K, V]) Reversed() iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.span(0, math.MaxInt64, backward)
}

// Between is All for the windows that begin from from to to, both inclusive.
func (v *WindowView[K, V]) Between(from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.span(from.UnixMilli(), to.UnixMilli(), forward)
}

func (v *WindowView[K, V]) span(from, to int64, d direction) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return seq(func(fn func(local, raw []byte, at int64) bool) error {
		return v.all(from, to, d, fn)
	}, v.entry)
}

// InOrder calls fn for the windows that begin from from to to, in ms and both
// inclusive, in the order of their starts, until fn fails. The store must be one
// InOrder. What has expired is passed over, a millisecond later than elsewhere, as in
// Kafka Streams.
func (v *WindowView[K, V]) InOrder(from, to int64, fn func(w window.Windowed[K], val V, at int64) error) (Walked, error) {
	return v.inOrder(from, to, v.s.Live(v.segments)-1, func(local, raw []byte, at int64) error {
		e, err := v.entry(local, raw, at)
		if err != nil {
			return err
		}
		return fn(e.Key, e.Value, at)
	})
}

func (v *WindowView[K, V]) entry(local, raw []byte, at int64) (e Entry[window.Windowed[K], V], err error) {
	e.Time = time.UnixMilli(at).UTC()
	if e.Key, err = v.windowed(local); err != nil {
		return e, err
	}
	e.Value, err = v.d.value.Decode(raw)
	return e, err
}

// windowed decodes the key of an entry.
func (v *WindowView[K, V]) windowed(local []byte) (w window.Windowed[K], err error) {
	w.Key, err = v.d.key.Decode(local[8 : len(local)-windowTail])
	w.Start, w.End = v.time(local), math.MaxInt64
	if w.Start <= math.MaxInt64-v.d.size {
		w.End = w.Start + v.d.size
	}
	return w, err
}

// Changed calls fn for every entry changed since the last commit, with its value
// before and now. It is for leat's own operators.
func (v *WindowView[K, V]) Changed(fn func(Change[window.Windowed[K], V]) error) error {
	return changed(v.s, v.windowed, v.d.value, fn)
}
