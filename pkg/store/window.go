package store

import (
	"bytes"
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"strconv"
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

// Spec is what the runtime needs to know of the store.
func (d WindowStore[K, V]) Spec() Spec {
	s := d.spec
	s.Layout = state.NewSegments(max(1, d.retention), windowTail)
	s.Configs = expiring(d.retention, s.Configs)
	return s
}

// windowTail is what a window adds to a key: eight bytes of start, four of sequence
// number.
const windowTail = 12

// expiring is the configuration of the changelog of a store with a retention.
func expiring(retention int64, configs map[string]string) map[string]string {
	const extra = 24 * 60 * 60 * 1000 // windowstore.changelog.additional.retention.ms
	out := map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1"}
	if retention < math.MaxInt64-extra {
		out["retention.ms"] = strconv.FormatInt(retention+extra, 10)
	}
	maps.Copy(out, configs)
	return out
}

// Open returns the view of the store in s.
func (d WindowStore[K, V]) Open(s Scope) *WindowView[K, V] {
	st := s.OpenStore(d.spec.Name)
	return &WindowView[K, V]{d: d, s: st, segments: st.Layout().(state.Segments), scope: s}
}

// A WindowView reads and writes one partition of a window store. It belongs to the
// goroutine of its task, and is not safe for concurrent use.
type WindowView[K, V any] struct {
	d        WindowStore[K, V]
	s        *state.Store
	segments state.Segments
	scope    Scope
	buf      []byte // encoded key of an entry, then encoded value
	seq      uint32
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
	if err := v.encode(k, start, 0); err != nil {
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
	if v.d.repeats {
		v.seq = (v.seq + 1) & math.MaxInt32
	}
	if err := v.encode(k, start, v.seq); err != nil {
		return err
	}
	n := len(v.buf)
	b, err := v.d.value.Append(v.buf, val)
	if err != nil {
		return err
	}
	if b == nil { // the value is null
		v.s.Delete(v.buf, at)
		return nil
	}
	v.buf = b
	v.s.Put(b[:n:n], b[n:], at)
	return nil
}

// Delete removes k from the window that begins at start.
func (v *WindowView[K, V]) Delete(k K, start time.Time) error {
	return v.Remove(k, start.UnixMilli(), v.scope.Now())
}

// Remove is Delete with times in ms.
func (v *WindowView[K, V]) Remove(k K, start int64, at int64) error {
	if !v.admit(start) {
		return nil
	}
	if err := v.encode(k, start, 0); err != nil {
		return err
	}
	v.s.Delete(v.buf, at)
	return nil
}

// admit moves the store's time to start, and reports whether it is not too late to
// write there.
func (v *WindowView[K, V]) admit(start int64) bool {
	v.s.Trim(v.segments, start)
	if start >= v.s.Live(v.segments) {
		return true
	}
	v.scope.Late()
	return false
}

// encode makes buf the key of an entry.
func (v *WindowView[K, V]) encode(k K, start int64, seq uint32) (err error) {
	v.buf = v.segments.Append(v.buf[:0], start)
	if v.buf, err = v.d.key.Append(v.buf, k); err != nil {
		return err
	}
	v.buf = binary.BigEndian.AppendUint64(v.buf, uint64(start))
	v.buf = binary.BigEndian.AppendUint32(v.buf, seq)
	return nil
}

// Fetch returns the values of k in the windows that begin from from to to, both
// inclusive, in the order of their starts. The store may be written to meanwhile.
func (v *WindowView[K, V]) Fetch(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return func(yield func(Entry[window.Windowed[K], V], error) bool) {
		done := false
		err := v.Each(k, from.UnixMilli(), to.UnixMilli(), func(start int64, val V, at int64) bool {
			e := Entry[window.Windowed[K], V]{v.windowed(k, start), val, time.UnixMilli(at).UTC()}
			done = !yield(e, nil)
			return !done
		})
		if err != nil && !done {
			yield(Entry[window.Windowed[K], V]{}, err)
		}
	}
}

// Each is Fetch by times in ms: it calls fn until that returns false.
func (v *WindowView[K, V]) Each(k K, from, to int64, fn func(start int64, val V, at int64) bool) error {
	key, err := v.d.key.Append([]byte{}, k)
	if err != nil {
		return err
	}
	return v.segmented(from, to, func(segment []byte, from, to int64) (bool, error) {
		lo := binary.BigEndian.AppendUint64(append(bytes.Clone(segment), key...), uint64(from))
		hi := binary.BigEndian.AppendUint64(append(bytes.Clone(segment), key...), uint64(to)+1)
		more, failed := true, error(nil)
		err := v.s.Range(lo, hi, false, func(local, raw []byte, at int64) bool {
			if len(local) != len(segment)+len(key)+windowTail {
				return true // of a longer key
			}
			var val V
			if val, failed = v.d.value.Decode(raw); failed != nil {
				return false
			}
			more = fn(windowStart(local), val, at)
			return more
		})
		if err == nil {
			err = failed
		}
		return more, err
	})
}

// segmented calls fn for each live segment that holds times from from to to, with its
// prefix and the part of the times that can be in it, until fn returns false.
func (v *WindowView[K, V]) segmented(from, to int64, fn func(segment []byte, from, to int64) (bool, error)) error {
	from, to = max(0, from, v.s.Live(v.segments)), min(to, v.s.Observed())
	if to < from {
		return nil
	}
	for seg := v.segments.Segment(from); seg <= v.segments.Segment(to); seg++ {
		more, err := fn(binary.BigEndian.AppendUint64(nil, uint64(seg)), from, to)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// All returns every live entry, by segments of time and in the order of the encoded
// keys within one. The store may be written to meanwhile.
func (v *WindowView[K, V]) All() iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.Between(time.UnixMilli(0), time.UnixMilli(math.MaxInt64))
}

// Between is All for the windows that begin from from to to, both inclusive.
func (v *WindowView[K, V]) Between(from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return func(yield func(Entry[window.Windowed[K], V], error) bool) {
		done := false
		err := v.segmented(from.UnixMilli(), to.UnixMilli(), func(segment []byte, from, to int64) (bool, error) {
			err := v.s.Range(segment, after(segment), false, func(local, raw []byte, at int64) bool {
				if start := windowStart(local); start < from || start > to {
					return true
				}
				e, err := v.entry(local, raw, at)
				done = !yield(e, err) || err != nil
				return !done
			})
			return !done, err
		})
		if err != nil && !done {
			yield(Entry[window.Windowed[K], V]{}, err)
		}
	}
}

// after is the prefix that follows segment.
func after(segment []byte) []byte {
	return binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(segment)+1)
}

// windowStart is the start that the key of an entry holds.
func windowStart(local []byte) int64 {
	return int64(binary.BigEndian.Uint64(local[len(local)-windowTail:]))
}

func (v *WindowView[K, V]) entry(local, raw []byte, at int64) (e Entry[window.Windowed[K], V], err error) {
	e.Time = time.UnixMilli(at).UTC()
	if e.Key, err = v.windowedKey(local); err != nil {
		return e, err
	}
	e.Value, err = v.d.value.Decode(raw)
	return e, err
}

func (v *WindowView[K, V]) windowedKey(local []byte) (w window.Windowed[K], err error) {
	k, err := v.d.key.Decode(local[8 : len(local)-windowTail])
	return v.windowed(k, windowStart(local)), err
}

func (v *WindowView[K, V]) windowed(k K, start int64) window.Windowed[K] {
	end := int64(math.MaxInt64)
	if start <= math.MaxInt64-v.d.size {
		end = start + v.d.size
	}
	return window.Windowed[K]{Key: k, Span: window.Span{Start: start, End: end}}
}

// Changed calls fn for every entry changed since the last commit, with its value
// before and now. It is for leat's own operators.
func (v *WindowView[K, V]) Changed(fn func(Change[window.Windowed[K], V]) error) error {
	return changed(v.s, v.windowedKey, v.d.value, fn)
}
