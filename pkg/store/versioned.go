package store

import (
	"iter"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
)

// VersionedKV describes a versioned store: a value per key at every time, as far back
// as its history goes. Its changelog has every version, with the time that it is valid
// from, and is compacted no sooner than a day after its history ends.
type VersionedKV[K, V any] struct {
	spec    Spec
	key     serde.Serde[K]
	value   serde.Serde[V]
	history int64 // ms
}

// Versioned describes the versioned store called name. The name is durable: the
// changelog topic derives from it. What was valid up to history before the greatest
// time put into the store can be read; what is put that is older is not taken. The last
// version of a key never expires.
func Versioned[K, V any](name string, key serde.Serde[K], value serde.Serde[V], history time.Duration) VersionedKV[K, V] {
	return VersionedKV[K, V]{Spec{Name: name, Logged: true}, key, value, history.Milliseconds()}
}

// Unlogged returns a copy of d without a changelog: the store is lost with the
// local state, and starts empty wherever its task moves.
func (d VersionedKV[K, V]) Unlogged() VersionedKV[K, V] {
	d.spec.Logged = false
	return d
}

// TopicConfig returns a copy of d whose changelog topic is created with the
// given configuration besides the defaults.
func (d VersionedKV[K, V]) TopicConfig(configs map[string]string) VersionedKV[K, V] {
	d.spec.Configs = maps.Clone(configs)
	return d
}

// Name is the store's name.
func (d VersionedKV[K, V]) Name() string { return d.spec.Name }

// History is how far back the store can be read, in ms.
func (d VersionedKV[K, V]) History() int64 { return d.history }

// Serdes are those of the store's keys and values.
func (d VersionedKV[K, V]) Serdes() (key serde.Serde[K], value serde.Serde[V]) {
	return d.key, d.value
}

// Spec is what the runtime needs to know of the store.
func (d VersionedKV[K, V]) Spec() Spec {
	const extra = 24 * 60 * 60 * 1000 // so that a restore finds what the history has
	s := d.spec
	s.Layout = state.NewVersions(max(0, d.history))
	s.Configs = map[string]string{"min.compaction.lag.ms": strconv.FormatInt(min(d.history, math.MaxInt64-extra)+extra, 10)}
	maps.Copy(s.Configs, d.spec.Configs)
	s.Serdes = serdesOf(d.key, d.value, cutTail(0))
	return s
}

func (VersionedKV[K, V]) rows() {}

// Open returns the view of the store in s.
func (d VersionedKV[K, V]) Open(s Scope) *VersionedView[K, V] {
	st := s.OpenStore(d.spec.Name)
	d.key, d.value = placed(s, d.spec.Name, d.key, d.value)
	return &VersionedView[K, V]{d: d, s: st, scope: s}
}

// A VersionedView reads and writes one partition of a versioned store. It belongs to
// the goroutine of its task, and is not safe for concurrent use.
type VersionedView[K, V any] struct {
	d     VersionedKV[K, V]
	s     *state.Store
	scope Scope
	buf   []byte // encoded key, then encoded value
}

// A Version is a value of a key and when it was valid.
type Version[V any] struct {
	Value V
	From  time.Time
	Until time.Time // exclusive; zero: it is valid still
}

// Get returns the last value of k and whether there is one.
func (v *VersionedView[K, V]) Get(k K) (val V, ok bool, err error) {
	val, _, ok, err = v.Load(k)
	return val, ok, err
}

// GetAsOf returns the value that k had at a time, and whether it had one, as far as the
// store's history goes.
func (v *VersionedView[K, V]) GetAsOf(k K, at time.Time) (val V, ok bool, err error) {
	val, _, ok, err = v.LoadAsOf(k, at.UnixMilli())
	return val, ok, err
}

// Load is Get that also returns the time the value is valid from, in ms.
func (v *VersionedView[K, V]) Load(k K) (val V, from int64, ok bool, err error) {
	return v.LoadAsOf(k, math.MaxInt64-1)
}

// LoadAsOf is GetAsOf by a time in ms. It also returns the time the value is valid from.
func (v *VersionedView[K, V]) LoadAsOf(k K, at int64) (val V, from int64, ok bool, err error) {
	var failed error
	err = v.each(k, func(raw []byte, since, until int64) bool {
		if since > at {
			return true
		}
		if until <= at || raw == nil || until != state.Latest && at < v.oldest() {
			return false
		}
		from, ok = since, true
		val, failed = v.d.value.Decode(raw)
		return false
	})
	if err == nil {
		err = failed
	}
	return val, from, ok && err == nil, err
}

// oldest is the first time that can be asked for.
func (v *VersionedView[K, V]) oldest() int64 {
	return v.s.Live(v.s.Layout().(state.Versions).Segments)
}

func (v *VersionedView[K, V]) each(k K, fn func(raw []byte, from, until int64) bool) (err error) {
	if v.buf, err = v.d.key.Append(v.buf[:0], k); err != nil {
		return err
	}
	return v.s.EachVersion(v.buf, fn)
}

// Put sets k to val from a time on, until the next version that there is. A time that
// the history does not go back to is counted as that of a record that was late.
func (v *VersionedView[K, V]) Put(k K, val V, from time.Time) error {
	_, _, err := v.Store(k, val, from.UnixMilli())
	return err
}

// Delete makes k have no value from a time on, until the next version that there is.
// It is late as Put may be.
func (v *VersionedView[K, V]) Delete(k K, from time.Time) error {
	_, _, err := v.Remove(k, from.UnixMilli())
	return err
}

// Placed says what became of a version that was put.
type Placed int8

const (
	TooOld Placed = iota // it was not taken
	Past                 // a later one has replaced it already
	Last                 // it is the last one
)

// Store is Put by a time in ms. It says what became of the version and, if that is Past,
// when it ends.
func (v *VersionedView[K, V]) Store(k K, val V, from int64) (p Placed, until int64, err error) {
	if v.buf, err = v.d.key.Append(v.buf[:0], k); err != nil {
		return TooOld, 0, err
	}
	n := len(v.buf)
	b, err := v.d.value.Append(v.buf, val)
	if err != nil {
		return TooOld, 0, err
	}
	if b == nil { // the value is null
		return v.put(v.buf, nil, from)
	}
	v.buf = b
	return v.put(b[:n:n], b[n:], from)
}

// Remove is Delete by a time in ms, and says what Store says.
func (v *VersionedView[K, V]) Remove(k K, from int64) (p Placed, until int64, err error) {
	if v.buf, err = v.d.key.Append(v.buf[:0], k); err != nil {
		return TooOld, 0, err
	}
	return v.put(v.buf, nil, from)
}

func (v *VersionedView[K, V]) put(key, value []byte, from int64) (Placed, int64, error) {
	until, ok, err := v.s.PutVersion(key, value, from)
	switch {
	case err != nil:
		return TooOld, 0, err
	case !ok:
		v.scope.Late()
		return TooOld, 0, nil
	case until == state.Latest:
		return Last, 0, nil
	}
	return Past, until, nil
}

// Versions returns the versions of k that were valid between two times, both inclusive,
// the newest first, as far as the store's history goes. The store must not be written to
// meanwhile.
func (v *VersionedView[K, V]) Versions(k K, from, to time.Time) iter.Seq2[Version[V], error] {
	return func(yield func(Version[V], error) bool) {
		done := false
		err := v.each(k, func(raw []byte, since, until int64) bool {
			if raw == nil || since > to.UnixMilli() {
				return true
			}
			if until <= from.UnixMilli() {
				return false
			}
			out := Version[V]{From: time.UnixMilli(since).UTC()}
			if until != state.Latest {
				out.Until = time.UnixMilli(until).UTC()
			}
			var err error
			out.Value, err = v.d.value.Decode(raw)
			done = !yield(out, err) || err != nil
			return !done
		})
		if err != nil && !done {
			yield(Version[V]{}, err)
		}
	}
}
