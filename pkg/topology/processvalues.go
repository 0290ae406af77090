package topology

import (
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
)

// ProcessValues is Process that keeps the keys, so that what follows may need equal keys
// in one partition without moving the records. What it emits is made of the records it
// was given, by FixedKeyRecord.With: of the one in hand or, from a timer, of one that it
// has kept.
func (s Stream[K, V]) ProcessValues[V2 any](name string, open func(*FixedKeyContext[K, V2]) (func(FixedKeyRecord[K, V]) error, error), stores ...store.Descriptor) Stream[K, V2] {
	n := s.b.processor(name, stores)
	id := connect(s.b, n, s.id, func(w wiring, out *task.Port[Record[K, V2]]) (func(Record[K, V]) error, error) {
		handle, err := open(&FixedKeyContext[K, V2]{processing(w, n), out})
		if err != nil {
			return nil, err
		}
		return func(r Record[K, V]) error {
			w.t.Enter(w.id)
			was := w.t.SetNow(r.Time.UnixMilli())
			err := handle(FixedKeyRecord[K, V]{r.Key, r.NullKey, r.Value, r.NullValue, r.Time, r.Headers})
			w.t.SetNow(was)
			return err
		}, nil
	})
	return Stream[K, V2]{b: s.b, id: id, moved: s.moved}
}

// A FixedKeyContext is what a processor that keeps the keys sees of the task it runs in. K
// and V are the types that it emits. It belongs to the task's goroutine.
type FixedKeyContext[K, V any] struct {
	Processing
	out *task.Port[Record[K, V]]
}

// Emit hands r to every reader of the processor's stream, as Context.Emit does.
func (c *FixedKeyContext[K, V]) Emit(r FixedKeyRecord[K, V]) error {
	return emit(&c.Processing, c.out, Record[K, V]{r.key, r.Value, r.nullKey, r.NullValue, r.Time, r.Headers})
}

// A FixedKeyRecord is a Record whose key cannot be changed.
type FixedKeyRecord[K, V any] struct {
	key       K
	nullKey   bool
	Value     V
	NullValue bool
	Time      time.Time // to the millisecond, as in Kafka
	Headers   []Header
}

// Key is the record's key; ok is false if it has none.
func (r FixedKeyRecord[K, V]) Key() (key K, ok bool) { return r.key, !r.nullKey }

// With returns a record of the same key, time and headers with another value.
func (r FixedKeyRecord[K, V]) With[V2 any](value V2) FixedKeyRecord[K, V2] {
	return FixedKeyRecord[K, V2]{key: r.key, nullKey: r.nullKey, Value: value, Time: r.Time, Headers: r.Headers}
}
