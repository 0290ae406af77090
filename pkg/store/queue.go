package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/serde"
)

// QueueStore describes the store in which the records of a stream wait, in the order of
// their times, to be joined with a table. Its name is Kafka Streams', by default.
type QueueStore[K, V any] struct {
	spec  Spec
	join  string
	key   serde.Serde[K]
	value serde.Serde[V]
}

// Queue describes the store of the join called name: <name>-Buffer.
func Queue[K, V any](name string, key serde.Serde[K], value serde.Serde[V]) QueueStore[K, V] {
	return QueueStore[K, V]{Spec{Name: name + "-Buffer", Logged: true}, name, key, value}
}

// Named returns a copy of d whose store is called as given.
func (d QueueStore[K, V]) Named(name string) QueueStore[K, V] {
	d.spec.Name = name
	return d
}

// Unlogged returns a copy of d without a changelog: the records that wait are lost with
// the local state.
func (d QueueStore[K, V]) Unlogged() QueueStore[K, V] {
	d.spec.Logged = false
	return d
}

// TopicConfig returns a copy of d whose changelog topic is created with the given
// configuration besides the defaults.
func (d QueueStore[K, V]) TopicConfig(configs map[string]string) QueueStore[K, V] {
	d.spec.Configs = maps.Clone(configs)
	return d
}

// Name is the store's name.
func (d QueueStore[K, V]) Name() string { return d.spec.Name }

// Join is the name of the join.
func (d QueueStore[K, V]) Join() string { return d.join }

// Spec is what the runtime needs to know of the store.
func (d QueueStore[K, V]) Spec() Spec {
	s := d.spec
	s.Layout = state.Numbered{At: 1}
	s.Serdes = serdesOf(d.key, d.value, func(key, value []byte, show func(int, []byte) error) error {
		k, err := queueKey(key)
		if err != nil {
			return err
		}
		return cutBuffered(k, value, show)
	})
	return s
}

// Open returns the view of the store in s.
func (d QueueStore[K, V]) Open(s Scope) *QueueView[K, V] {
	st := s.OpenStore(d.spec.Name)
	d.key, d.value = placed(s, d.spec.Name, d.key, d.value)
	return &QueueView[K, V]{d: d, s: st}
}

// A QueueView reads and writes one partition of a join's queue. It belongs to the
// goroutine of its task. It is for leat's own operators.
type QueueView[K, V any] struct {
	d        QueueStore[K, V]
	s        *state.Store
	key, val []byte
	enc      []byte
}

// The key of an entry is a zero, the time, eight bytes, the record's key, and a number
// that tells equal ones apart, four bytes.
const (
	queueHead = 1 + 8
	queueTail = 4
)

// Observed is the greatest time of a record that was added; state.NeverObserved if none
// was.
func (v *QueueView[K, V]) Observed() int64 { return v.s.Observed() }

// Add adds a record by the time of its context.
func (v *QueueView[K, V]) Add(k K, val V, c wire.Context) (err error) {
	v.key = binary.BigEndian.AppendUint64(append(v.key[:0], 0), uint64(max(0, c.Time)))
	if v.key, err = v.d.key.Append(v.key, k); err != nil {
		return err
	}
	b, err := v.d.value.Append(v.enc[:0], val)
	if err != nil {
		return err
	}
	if b != nil {
		v.enc = b
	}
	v.key = binary.BigEndian.AppendUint32(v.key, v.s.Number())
	v.val = wire.AppendBuffered(v.val[:0], wire.Buffered{Context: wire.AppendContext(nil, c), New: b})
	v.s.Observe(c.Time)
	v.s.Absent(v.key) // numbers are given once
	v.s.Put(v.key, v.val, c.Time)
	return nil
}

// First is the time of the first record; math.MaxInt64 if there is none.
func (v *QueueView[K, V]) First() (at int64, err error) {
	at = math.MaxInt64
	err = v.s.Range(nil, nil, false, func(key, _ []byte, _ int64) bool {
		at = queueTime(key)
		return false
	})
	return at, err
}

// queueKey is the record's key in an entry's.
func queueKey(key []byte) ([]byte, error) {
	if len(key) < queueHead+queueTail {
		return nil, fmt.Errorf("a key of %d bytes: %w", len(key), wire.ErrFormat)
	}
	return key[queueHead : len(key)-queueTail], nil
}

func queueTime(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[1:])) }

// Release removes the records from one time, before which there are none, up to another,
// both inclusive, and calls fn with each, in the
// order of their times and, for equal ones, of their encoded keys. It returns what First
// would return then.
func (v *QueueView[K, V]) Release(from, until, now int64, fn func(k K, val V, c wire.Context) error) (next int64, err error) {
	next = math.MaxInt64
	lo := binary.BigEndian.AppendUint64([]byte{0}, uint64(max(0, from)))
	e := v.s.Range(lo, nil, false, func(key, raw []byte, _ int64) bool {
		if at := queueTime(key); at > until {
			next = at
			return false
		}
		if err = v.release(key, raw, fn); err == nil {
			v.s.Delete(key, now)
		}
		return err == nil
	})
	if err == nil {
		err = e
	}
	return next, err
}

func (v *QueueView[K, V]) release(key, raw []byte, fn func(K, V, wire.Context) error) error {
	enc, err := queueKey(key)
	if err != nil {
		return err
	}
	k, err := v.d.key.Decode(enc)
	if err != nil {
		return err
	}
	held, err := wire.ParseBuffered(raw)
	if err != nil {
		return err
	}
	c, err := wire.ParseContext(held.Context)
	if err != nil {
		return err
	}
	var val V
	if held.New != nil {
		if val, err = v.d.value.Decode(held.New); err != nil {
			return err
		}
	}
	return fn(k, val, c)
}
