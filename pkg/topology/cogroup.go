package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
)

// A Cogroup is several streams of equal keys, of any values, that are to be folded
// into one table. It is a value: And returns another.
type Cogroup[K, A any] struct {
	parts Stream[K, func(acc A) A]
}

// Cogroup begins a group of streams: add folds the values of this one.
func (s Stream[K, V]) Cogroup[A any](add func(acc A, k K, v V) A) Cogroup[K, A] {
	return Cogroup[K, A]{folds(s, add)}
}

// And adds a stream whose values add folds.
func (g Cogroup[K, A]) And[V any](s Stream[K, V], add func(acc A, k K, v V) A) Cogroup[K, A] {
	return Cogroup[K, A]{g.parts.Merge(folds(s, add))}
}

// Aggregate folds what comes from the streams into st, as Stream.Aggregate would:
// starting from A's zero value, without records that have no key or no value.
func (g Cogroup[K, A]) Aggregate(st store.KV[K, A], opts ...TableOption) Table[K, A] {
	return aggregate(g.parts, "cogroup", st, opts, func(r Record[K, func(A) A], c *store.Change[K, A]) A {
		c.NullOld = false
		return r.Value(c.Old)
	})
}

// folds makes of every value the function that folds it: one function, which takes
// the value of the record in hand.
func folds[K, V, A any](s Stream[K, V], add func(acc A, k K, v V) A) Stream[K, func(acc A) A] {
	return pipe(s, "cogroup-input", func(w wiring, out *task.Port[Record[K, func(A) A]]) func(Record[K, V]) error {
		var in Record[K, V]
		fold := func(acc A) A { return add(acc, in.Key, in.Value) }
		return func(r Record[K, V]) error {
			in = r
			return out.Emit(Record[K, func(A) A]{Key: r.Key, NullKey: r.NullKey, Value: fold, NullValue: r.NullValue, Time: r.Time, Headers: r.Headers})
		}
	})
}
