package topology

import (
	"github.com/leatstream/leat/internal/task"
)

// A Stream is a handle on the records that leave one node. It is a value and may
// be read by any number of verbs.
//
// A function given to a verb that takes a value is never called for a record
// whose value is null: Filter, MapValues and Peek pass such a record on, the
// others drop and count it. It is called for a record whose key is null, with the
// zero key. Process sees records as they are.
type Stream[K, V any] struct {
	b     *Builder
	id    int
	moved string // the node that changed the key since the last topic; "" if none did
}

// pipe adds a stateless verb.
func pipe[K, V, K2, V2 any](s Stream[K, V], kind string, open func(w wiring, out *task.Port[Record[K2, V2]]) func(Record[K, V]) error) Stream[K2, V2] {
	id := connect(s.b, node{kind: kind}, s.id, func(w wiring, out *task.Port[Record[K2, V2]]) (func(Record[K, V]) error, error) {
		return open(w, out), nil
	})
	return Stream[K2, V2]{b: s.b, id: id, moved: s.moved}
}

// Filter keeps the records for which keep returns true.
func (s Stream[K, V]) Filter(keep func(K, V) bool) Stream[K, V] {
	return pipe(s, "filter", func(w wiring, out *task.Port[Record[K, V]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			if !r.NullValue {
				w.t.Enter(w.id)
				if !keep(r.Key, r.Value) {
					return nil
				}
			}
			return out.Emit(r)
		}
	})
}

// Map replaces key and value. What follows must not need equal keys to be in one
// partition: use KeyBy for that.
func (s Stream[K, V]) Map[K2, V2 any](fn func(K, V) (K2, V2)) Stream[K2, V2] {
	out := pipe(s, "map", func(w wiring, out *task.Port[Record[K2, V2]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			if r.NullValue {
				w.t.Drop(task.DropNullValue)
				return nil
			}
			w.t.Enter(w.id)
			k, v := fn(r.Key, r.Value)
			return out.Emit(Record[K2, V2]{Key: k, Value: v, Time: r.Time, Headers: r.Headers})
		}
	})
	return out.movedBy(out.id)
}

// SelectKey replaces the key. It sees every record, those without a key or without
// a value too. What follows must not need equal keys to be in one partition: use
// KeyBy for that.
func (s Stream[K, V]) SelectKey[K2 any](fn func(Record[K, V]) K2) Stream[K2, V] {
	out := pipe(s, "select-key", func(w wiring, out *task.Port[Record[K2, V]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			w.t.Enter(w.id)
			return out.Emit(Record[K2, V]{Key: fn(r), Value: r.Value, NullValue: r.NullValue, Time: r.Time, Headers: r.Headers})
		}
	})
	return out.movedBy(out.id)
}

// MapValues replaces the value and keeps the key.
func (s Stream[K, V]) MapValues[V2 any](fn func(V) V2) Stream[K, V2] {
	return s.MapValuesWithKey(func(_ K, v V) V2 { return fn(v) })
}

// MapValuesWithKey is MapValues that sees the key.
func (s Stream[K, V]) MapValuesWithKey[V2 any](fn func(K, V) V2) Stream[K, V2] {
	return pipe(s, "map-values", func(w wiring, out *task.Port[Record[K, V2]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			o := Record[K, V2]{Key: r.Key, NullKey: r.NullKey, NullValue: r.NullValue, Time: r.Time, Headers: r.Headers}
			if !r.NullValue {
				w.t.Enter(w.id)
				o.Value = fn(r.Key, r.Value)
			}
			return out.Emit(o)
		}
	})
}

// FlatMap replaces each record by those that fn gives to emit.
func (s Stream[K, V]) FlatMap[K2, V2 any](fn func(k K, v V, emit func(K2, V2))) Stream[K2, V2] {
	out := pipe(s, "flat-map", func(w wiring, out *task.Port[Record[K2, V2]]) func(Record[K, V]) error {
		var in Record[K, V]
		var failed error
		emit := func(k K2, v V2) {
			if failed == nil {
				failed = out.Emit(Record[K2, V2]{Key: k, Value: v, Time: in.Time, Headers: in.Headers})
				w.t.Enter(w.id)
			}
		}
		return func(r Record[K, V]) error {
			if r.NullValue {
				w.t.Drop(task.DropNullValue)
				return nil
			}
			in, failed = r, nil
			w.t.Enter(w.id)
			fn(r.Key, r.Value, emit)
			return failed
		}
	})
	return out.movedBy(out.id)
}

// FlatMapValues replaces each value by any number of values and keeps the key.
func (s Stream[K, V]) FlatMapValues[V2 any](fn func(V) []V2) Stream[K, V2] {
	return s.FlatMapValuesWithKey(func(_ K, v V) []V2 { return fn(v) })
}

// FlatMapValuesWithKey is FlatMapValues that sees the key.
func (s Stream[K, V]) FlatMapValuesWithKey[V2 any](fn func(K, V) []V2) Stream[K, V2] {
	return pipe(s, "flat-map-values", func(w wiring, out *task.Port[Record[K, V2]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			if r.NullValue {
				w.t.Drop(task.DropNullValue)
				return nil
			}
			w.t.Enter(w.id)
			for _, v := range fn(r.Key, r.Value) {
				o := Record[K, V2]{Key: r.Key, NullKey: r.NullKey, Value: v, Time: r.Time, Headers: r.Headers}
				if err := out.Emit(o); err != nil {
					return err
				}
			}
			return nil
		}
	})
}

// Peek calls fn for every record and passes the record on.
func (s Stream[K, V]) Peek(fn func(K, V)) Stream[K, V] {
	return pipe(s, "peek", func(w wiring, out *task.Port[Record[K, V]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			if !r.NullValue {
				w.t.Enter(w.id)
				fn(r.Key, r.Value)
			}
			return out.Emit(r)
		}
	})
}

// ForEach calls fn for every record. What fn does outside is not part of the
// transaction: after a crash it may be done again.
func (s Stream[K, V]) ForEach(fn func(K, V)) {
	pipe(s, "for-each", func(w wiring, _ *task.Port[Record[K, V]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			if !r.NullValue {
				w.t.Enter(w.id)
				fn(r.Key, r.Value)
			}
			return nil
		}
	})
}

// Merge returns the records of s and of other. No order holds between the two
// but that of the task, which takes the record with the smallest timestamp next.
func (s Stream[K, V]) Merge(other Stream[K, V]) Stream[K, V] {
	if s.b != other.b {
		s.b.fail("merge of streams from two builders")
		return s
	}
	id := s.b.add(node{kind: "merge", parents: []int{s.id, other.id}, open: func(w wiring) error {
		out := task.Outlet[Record[K, V]](w.t, w.id)
		for _, p := range w.parents {
			task.Outlet[Record[K, V]](w.t, p).Subscribe(out.Emit)
		}
		return nil
	}})
	moved := s.moved
	if moved == "" {
		moved = other.moved
	}
	return Stream[K, V]{b: s.b, id: id, moved: moved}
}

// Branch splits the stream: a record goes to the stream of the first of the
// predicates that holds, and to the last stream, which has no predicate, if none
// does. A record whose value is null goes to the last.
func (s Stream[K, V]) Branch(when ...func(K, V) bool) []Stream[K, V] {
	split := connect(s.b, node{kind: "branch"}, s.id, func(w wiring, out *task.Port[armed[K, V]]) (func(Record[K, V]) error, error) {
		return func(r Record[K, V]) error {
			w.t.Enter(w.id)
			i := 0
			for i < len(when) && (r.NullValue || !when[i](r.Key, r.Value)) {
				i++
			}
			return out.Emit(armed[K, V]{i, r})
		}, nil
	})
	arms := make([]Stream[K, V], len(when)+1)
	for i := range arms {
		id := connect(s.b, node{kind: "arm"}, split, func(_ wiring, out *task.Port[Record[K, V]]) (func(armed[K, V]) error, error) {
			return func(a armed[K, V]) error {
				if a.arm != i {
					return nil
				}
				return out.Emit(a.r)
			}, nil
		})
		arms[i] = Stream[K, V]{b: s.b, id: id, moved: s.moved}
	}
	return arms
}

// armed is a record on its way to one arm of a branch.
type armed[K, V any] struct {
	arm int
	r   Record[K, V]
}

func (s Stream[K, V]) movedBy(id int) Stream[K, V] {
	s.moved = s.b.nodes[id].name
	return s
}
