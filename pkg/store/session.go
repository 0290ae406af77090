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

// SessionStore describes a session store: values by key and by the start and end of
// a session. What ended longer ago than its retention expires. Its changelog keeps a
// day more, and its keys there are Kafka Streams': the key, then the end and the start
// in eight bytes each.
type SessionStore[K, V any] struct {
	spec      Spec
	key       serde.Serde[K]
	value     serde.Serde[V]
	retention int64 // ms; 0: by what uses it
	ordered   bool
}

// Session describes the session store called name. The name is durable: the changelog
// topic derives from it. How long sessions are kept, unless Retention says more, it
// takes from the operator that owns it.
func Session[K, V any](name string, key serde.Serde[K], value serde.Serde[V]) SessionStore[K, V] {
	return SessionStore[K, V]{spec: Spec{Name: name, Logged: true}, key: key, value: value}
}

// Unlogged returns a copy of d without a changelog: the store is lost with the
// local state, and starts empty wherever its task moves.
func (d SessionStore[K, V]) Unlogged() SessionStore[K, V] {
	d.spec.Logged = false
	return d
}

// TopicConfig returns a copy of d whose changelog topic is created with the
// given configuration besides the defaults.
func (d SessionStore[K, V]) TopicConfig(configs map[string]string) SessionStore[K, V] {
	d.spec.Configs = maps.Clone(configs)
	return d
}

// Retention returns a copy of d whose sessions can be read until stream time is r past
// their end. The default is what its operator needs: the inactivity gap and the grace
// period.
func (d SessionStore[K, V]) Retention(r time.Duration) SessionStore[K, V] {
	d.retention = r.Milliseconds()
	return d
}

// InOrder returns a copy of d whose entries can be walked in the order of time.
func (d SessionStore[K, V]) InOrder() SessionStore[K, V] {
	d.ordered = true
	return d
}

// Keeping returns d, with ms as its retention if it has none, and whether it keeps
// sessions for so long.
func (d SessionStore[K, V]) Keeping(ms int64) (SessionStore[K, V], bool) {
	if d.retention == 0 {
		d.retention = ms
	}
	return d, d.retention >= ms
}

// Name is the store's name.
func (d SessionStore[K, V]) Name() string { return d.spec.Name }

// Serdes are the store's serdes.
func (d SessionStore[K, V]) Serdes() (key serde.Serde[K], value serde.Serde[V]) {
	return d.key, d.value
}

// Spec is what the runtime needs to know of the store.
func (d SessionStore[K, V]) Spec() Spec {
	s := d.spec
	layout := state.NewSegments(max(1, d.retention), sessionTail)
	layout.Ordered = d.ordered
	s.Layout = layout
	s.Configs = changelogConfig(d.retention, s.Configs)
	s.Serdes = serdesOf(d.key, d.value, cutTail(sessionTail))
	return s
}

// sessionTail is what a session adds to a key: its end and its start.
const sessionTail = 16

// Open returns the view of the store in s.
func (d SessionStore[K, V]) Open(s Scope) *SessionView[K, V] {
	d.key, d.value = placed(s, d.spec.Name, d.key, d.value)
	return &SessionView[K, V]{expiring: newExpiring(d.spec.Name, d.key, s), d: d}
}

// A SessionView reads and writes one partition of a session store. It belongs to the
// goroutine of its task, and is not safe for concurrent use.
type SessionView[K, V any] struct {
	expiring[K]
	d SessionStore[K, V]
}

// Get returns the value of a key's session of exactly these times, and whether there
// is one.
func (v *SessionView[K, V]) Get(w window.Windowed[K]) (val V, ok bool, err error) {
	if w.End < v.s.Live(v.segments) {
		return val, false, nil
	}
	if err := v.encode(w); err != nil {
		return val, false, err
	}
	raw, _, ok, err := v.s.Get(v.buf)
	if err != nil || !ok {
		return val, false, err
	}
	val, err = v.d.value.Decode(raw)
	return val, true, err
}

// Put sets a key's session to val. One that has expired is not written to; that is
// counted as a record that was late.
func (v *SessionView[K, V]) Put(w window.Windowed[K], val V) error {
	return v.set(w, val, false)
}

// Add is Put for a session that is not there, as the caller knows from Each, which has
// shown it no session of the key at these times. It is for leat's own operators.
func (v *SessionView[K, V]) Add(w window.Windowed[K], val V) error {
	return v.set(w, val, true)
}

func (v *SessionView[K, V]) set(w window.Windowed[K], val V, absent bool) error {
	if !v.admit(w.End) {
		return nil
	}
	if err := v.encode(w); err != nil {
		return err
	}
	if absent {
		v.s.Absent(v.buf)
	}
	b, err := v.d.value.Append(v.buf, val)
	if err != nil {
		return err
	}
	if b == nil { // the value is null
		v.remove(w.End, v.scope.Now())
		return nil
	}
	n := len(v.buf)
	v.buf = b
	return v.put(n, w.End, v.scope.Now())
}

// Delete removes a key's session.
func (v *SessionView[K, V]) Delete(w window.Windowed[K]) error {
	if !v.admit(w.End) {
		return nil
	}
	if err := v.encode(w); err != nil {
		return err
	}
	v.remove(w.End, v.scope.Now())
	return nil
}

// encode makes buf the key of an entry.
func (v *SessionView[K, V]) encode(w window.Windowed[K]) error {
	if err := v.expiring.encode(w.Key, w.End); err != nil {
		return err
	}
	v.buf = binary.BigEndian.AppendUint64(v.buf, uint64(w.Start))
	return nil
}

// Fetch returns the sessions of k that end at from or later and begin at to or
// earlier, in the order of their ends. The store may be written to meanwhile.
func (v *SessionView[K, V]) Fetch(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.fetch(k, from, to, forward)
}

// FetchReversed is Fetch in the opposite order.
func (v *SessionView[K, V]) FetchReversed(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.fetch(k, from, to, backward)
}

func (v *SessionView[K, V]) fetch(k K, from, to time.Time, d direction) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return seq(func(fn func(local, raw []byte, at int64) bool) error {
		return v.find(k, from.UnixMilli(), to.UnixMilli(), d, fn)
	}, v.entry)
}

// Each is Fetch by times in ms: it calls fn until that returns false.
func (v *SessionView[K, V]) Each(k K, from, to int64, fn func(s window.Span, val V) bool) error {
	var failed error
	err := v.find(k, from, to, forward, func(local, raw []byte, _ int64) bool {
		val, err := v.d.value.Decode(raw)
		if err != nil {
			failed = err
			return false
		}
		return fn(sessionSpan(local), val)
	})
	if err == nil {
		err = failed
	}
	return err
}

func (v *SessionView[K, V]) find(k K, from, to int64, d direction, fn func(local, raw []byte, at int64) bool) error {
	return v.scan(k, from, math.MaxInt64, d, func(local, raw []byte, at int64) bool {
		return sessionSpan(local).Start > to || fn(local, raw, at)
	})
}

// All returns every live session, by segments of time and in the order of the encoded
// keys within one. The store may be written to meanwhile.
func (v *SessionView[K, V]) All() iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.every(forward)
}

// Reversed is All in the opposite order.
func (v *SessionView[K, V]) Reversed() iter.Seq2[Entry[window.Windowed[K], V], error] {
	return v.every(backward)
}

func (v *SessionView[K, V]) every(d direction) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return seq(func(fn func(local, raw []byte, at int64) bool) error {
		return v.all(0, math.MaxInt64, d, fn)
	}, v.entry)
}

// InOrder calls fn for the sessions that end from from to to, in ms and both
// inclusive, in the order of their ends, until fn fails. The store must be one InOrder.
// Only what is of a segment that has expired is passed over, as in Kafka Streams.
func (v *SessionView[K, V]) InOrder(from, to int64, fn func(w window.Windowed[K], val V) error) (Walked, error) {
	return v.inOrder(from, to, v.s.Floor(v.segments), func(local, raw []byte, at int64) error {
		e, err := v.entry(local, raw, at)
		if err != nil {
			return err
		}
		return fn(e.Key, e.Value)
	})
}

// sessionSpan is the session that the key of an entry holds.
func sessionSpan(local []byte) window.Span {
	tail := local[len(local)-sessionTail:]
	return window.Span{Start: int64(binary.BigEndian.Uint64(tail[8:])), End: int64(binary.BigEndian.Uint64(tail))}
}

func (v *SessionView[K, V]) entry(local, raw []byte, at int64) (e Entry[window.Windowed[K], V], err error) {
	e.Time = time.UnixMilli(at).UTC()
	if e.Key, err = v.windowed(local); err != nil {
		return e, err
	}
	e.Value, err = v.d.value.Decode(raw)
	return e, err
}

// windowed decodes the key of an entry.
func (v *SessionView[K, V]) windowed(local []byte) (w window.Windowed[K], err error) {
	w.Key, err = v.d.key.Decode(local[8 : len(local)-sessionTail])
	w.Span = sessionSpan(local)
	return w, err
}

// Changed calls fn for every session changed since the last commit, with its value
// before and now. It is for leat's own operators.
func (v *SessionView[K, V]) Changed(fn func(Change[window.Windowed[K], V]) error) error {
	return changed(v.s, v.windowed, v.d.value, fn)
}
