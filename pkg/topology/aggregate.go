package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
)

// Aggregate folds the values of each key into st, starting from A's zero value.
// Records without a key or without a value are dropped. The result's timestamp is
// the greatest of those that went into it.
func (s Stream[K, V]) Aggregate[A any](st store.KV[K, A], add func(acc A, k K, v V) A, opts ...TableOption) Table[K, A] {
	return s.AggregateFrom(st, zero[A], add, opts...)
}

// AggregateFrom is Aggregate that starts from what initial returns, which is called for
// each key without a row. As in Kafka Streams, that is what the row was before, for who
// takes old values back: GroupBy, JoinForeign, Filter.
func (s Stream[K, V]) AggregateFrom[A any](st store.KV[K, A], initial func() A, add func(acc A, k K, v V) A, opts ...TableOption) Table[K, A] {
	return aggregate(s, "aggregate", st, opts, func(r Record[K, V], c *store.Change[K, A]) A {
		if c.NullOld {
			c.Old, c.NullOld = initial(), false
		}
		return add(c.Old, r.Key, r.Value)
	})
}

func zero[A any]() (a A) { return a }

// Count counts the records of each key, as Aggregate would.
func (s Stream[K, V]) Count(st store.KV[K, int64], opts ...TableOption) Table[K, int64] {
	return aggregate(s, "count", st, opts, func(_ Record[K, V], c *store.Change[K, int64]) int64 {
		c.NullOld = false
		return c.Old + 1
	})
}

// Reduce combines the values of each key, as Aggregate would; the first value of
// a key stands as it is.
func (s Stream[K, V]) Reduce(st store.KV[K, V], combine func(acc, v V) V, opts ...TableOption) Table[K, V] {
	return aggregate(s, "reduce", st, opts, func(r Record[K, V], c *store.Change[K, V]) V {
		if c.NullOld {
			return r.Value
		}
		return combine(c.Old, r.Value)
	})
}

// Fold is the general aggregation: fn makes a key's new value from the old one. To
// return None deletes the key, which readers of the table are told in any case. A new row
// was none before; AggregateFrom says that it had a value. Otherwise it is as Aggregate.
func (s Stream[K, V]) Fold[A any](st store.KV[K, A], fn func(k K, v V, old Opt[A]) Opt[A], opts ...TableOption) Table[K, A] {
	return keep(valued(s, "fold"), "fold", st, opts, func(r Record[K, V], c *store.Change[K, A]) bool {
		a := fn(r.Key, r.Value, Opt[A]{c.Old, !c.NullOld})
		c.New, c.NullNew, c.Time = a.v, !a.ok, aggregateTime(r, c)
		return true
	})
}

func aggregate[K, V, A any](s Stream[K, V], kind string, st store.KV[K, A], opts []TableOption, fold func(Record[K, V], *store.Change[K, A]) A) Table[K, A] {
	return keep(valued(s, kind), kind, st, opts, func(r Record[K, V], c *store.Change[K, A]) bool {
		at := aggregateTime(r, c)
		c.New, c.Time = fold(r, c), at
		return true
	})
}

// valued drops the records without a value.
func valued[K, V any](s Stream[K, V], kind string) Stream[K, V] {
	return pipe(s, kind+"-input", func(w wiring, out *task.Port[Record[K, V]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			if r.NullValue {
				w.t.Drop(task.DropNullValue)
				return nil
			}
			return out.Emit(r)
		}
	})
}

// aggregateTime is the greatest timestamp of those that went into a row.
func aggregateTime[K, V, A any](r Record[K, V], c *store.Change[K, A]) int64 {
	at := r.Time.UnixMilli()
	if c.NullOld {
		return at
	}
	return max(at, c.Time)
}
