package store

import (
	"iter"
	"time"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/window"
)

// ForReading returns a descriptor of the same store for a processor that only reads it.
// Opening the store for writing is then refused, and how it is kept is not declared
// again: d needs the name, the kind and the serdes that its owner's descriptor has. The
// processor belongs to the sub-topology of the owner.
func ForReading(d Descriptor) Descriptor { return forReading{d} }

type forReading struct{ Descriptor }

// Spec implements Descriptor.
func (d forReading) Spec() Spec {
	s := d.Descriptor.Spec()
	s.ReadOnly = true
	return s
}

// readScope opens stores for reading.
type readScope struct{ Scope }

func (s readScope) OpenStore(name string) *state.Store { return s.ReadStore(name) }

// Reader returns a view of the store in s that only reads. It belongs to the goroutine
// of its task, sees what the task has written, and is not safe for concurrent use.
func (d KV[K, V]) Reader(s Scope) *ReadOnly[K, V] {
	v := d.Open(readScope{s})
	return &ReadOnly[K, V]{d: v.d, in: v.entries(), get: v.peek}
}

// Reader returns a view of the store in s that only reads.
func (d WindowStore[K, V]) Reader(s Scope) *WindowReader[K, V] {
	return &WindowReader[K, V]{d.Open(readScope{s})}
}

// Reader returns a view of the store in s that only reads.
func (d SessionStore[K, V]) Reader(s Scope) *SessionReader[K, V] {
	return &SessionReader[K, V]{d.Open(readScope{s})}
}

// Reader returns a view of the store in s that only reads.
func (d VersionedKV[K, V]) Reader(s Scope) *VersionedReader[K, V] {
	return &VersionedReader[K, V]{d.Open(readScope{s})}
}

// A WindowReader reads one partition of a window store, as WindowView does. It belongs
// to the goroutine of its task, and is not safe for concurrent use. The windows that it
// returns end where the descriptor that it was opened with says, by WindowStore.Sized.
type WindowReader[K, V any] struct{ v *WindowView[K, V] }

// Get is WindowView.Get.
func (r *WindowReader[K, V]) Get(k K, start time.Time) (val V, ok bool, err error) {
	return r.v.Get(k, start)
}

// Fetch is WindowView.Fetch.
func (r *WindowReader[K, V]) Fetch(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return r.v.Fetch(k, from, to)
}

// FetchReversed is WindowView.FetchReversed.
func (r *WindowReader[K, V]) FetchReversed(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return r.v.FetchReversed(k, from, to)
}

// Between is WindowView.Between.
func (r *WindowReader[K, V]) Between(from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return r.v.Between(from, to)
}

// All is WindowView.All.
func (r *WindowReader[K, V]) All() iter.Seq2[Entry[window.Windowed[K], V], error] { return r.v.All() }

// Reversed is WindowView.Reversed.
func (r *WindowReader[K, V]) Reversed() iter.Seq2[Entry[window.Windowed[K], V], error] {
	return r.v.Reversed()
}

// A SessionReader reads one partition of a session store, as SessionView does. It
// belongs to the goroutine of its task, and is not safe for concurrent use.
type SessionReader[K, V any] struct{ v *SessionView[K, V] }

// Get is SessionView.Get.
func (r *SessionReader[K, V]) Get(w window.Windowed[K]) (val V, ok bool, err error) {
	return r.v.Get(w)
}

// Fetch is SessionView.Fetch.
func (r *SessionReader[K, V]) Fetch(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return r.v.Fetch(k, from, to)
}

// FetchReversed is SessionView.FetchReversed.
func (r *SessionReader[K, V]) FetchReversed(k K, from, to time.Time) iter.Seq2[Entry[window.Windowed[K], V], error] {
	return r.v.FetchReversed(k, from, to)
}

// All is SessionView.All.
func (r *SessionReader[K, V]) All() iter.Seq2[Entry[window.Windowed[K], V], error] { return r.v.All() }

// Reversed is SessionView.Reversed.
func (r *SessionReader[K, V]) Reversed() iter.Seq2[Entry[window.Windowed[K], V], error] {
	return r.v.Reversed()
}

// A VersionedReader reads one partition of a versioned store, as VersionedView does. It
// belongs to the goroutine of its task, and is not safe for concurrent use.
type VersionedReader[K, V any] struct{ v *VersionedView[K, V] }

// Get is VersionedView.Get.
func (r *VersionedReader[K, V]) Get(k K) (val V, ok bool, err error) { return r.v.Get(k) }

// GetAsOf is VersionedView.GetAsOf.
func (r *VersionedReader[K, V]) GetAsOf(k K, at time.Time) (val V, ok bool, err error) {
	return r.v.GetAsOf(k, at)
}

// Versions is VersionedView.Versions.
func (r *VersionedReader[K, V]) Versions(k K, from, to time.Time) iter.Seq2[Version[V], error] {
	return r.v.Versions(k, from, to)
}
