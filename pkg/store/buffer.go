package store

import (
	"maps"
	"math"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/serde"
)

// BufferStore describes the store of what a suppression holds back: for every key the
// last update, in the order in which keys came. Its changelog has Kafka Streams' bytes.
type BufferStore[K, V any] struct {
	spec    Spec
	key     serde.Serde[K]
	value   serde.Serde[V]
	records int64 // greatest number; 0: any
	bytes   int64
	stop    bool
}

// Buffer describes the buffer called name. The name is durable: the changelog topic
// derives from it. It holds as much as it is given; memory has only what was used last.
func Buffer[K, V any](name string, key serde.Serde[K], value serde.Serde[V]) BufferStore[K, V] {
	headers := map[string][]byte{"v": {wire.BufferedVersion}}
	return BufferStore[K, V]{spec: Spec{Name: name, Logged: true, Layout: state.Queue{}, Headers: headers}, key: key, value: value}
}

// Unlogged returns a copy of d without a changelog: what is held back is lost with
// the local state, and wherever its task moves.
func (d BufferStore[K, V]) Unlogged() BufferStore[K, V] {
	d.spec.Logged = false
	return d
}

// TopicConfig returns a copy of d whose changelog topic is created with the
// given configuration besides the defaults.
func (d BufferStore[K, V]) TopicConfig(configs map[string]string) BufferStore[K, V] {
	d.spec.Configs = maps.Clone(configs)
	return d
}

// MaxRecords returns a copy of d for no more than n keys.
func (d BufferStore[K, V]) MaxRecords(n int64) BufferStore[K, V] {
	d.records = n
	return d
}

// MaxBytes returns a copy of d for no more than n bytes, as Kafka Streams counts them:
// keys, values, and about what is known of the records that they came from.
func (d BufferStore[K, V]) MaxBytes(n int64) BufferStore[K, V] {
	d.bytes = n
	return d
}

// StopWhenFull returns a copy of d that stops the service when it is full. Otherwise
// what has been held back longest is then let go early.
func (d BufferStore[K, V]) StopWhenFull() BufferStore[K, V] {
	d.stop = true
	return d
}

// Limits are what the buffer may hold, math.MaxInt64 where there is no limit, and
// whether it stops the service when it is full.
func (d BufferStore[K, V]) Limits() (l Fill, stops bool) {
	l = Fill{math.MaxInt64, math.MaxInt64}
	if d.records > 0 {
		l.Records = d.records
	}
	if d.bytes > 0 {
		l.Bytes = d.bytes
	}
	return l, d.stop
}

// Name is the store's name.
func (d BufferStore[K, V]) Name() string { return d.spec.Name }

// Serdes are the store's serdes.
func (d BufferStore[K, V]) Serdes() (key serde.Serde[K], value serde.Serde[V]) {
	return d.key, d.value
}

// Spec is what the runtime needs to know of the store.
func (d BufferStore[K, V]) Spec() Spec {
	s := d.spec
	s.Serdes = serdesOf(d.key, d.value, cutBuffered)
	return s
}

// Open returns the view of the buffer in s. It is for leat's own operators.
func (d BufferStore[K, V]) Open(s Scope) *BufferView[K, V] {
	st := s.OpenStore(d.spec.Name)
	d.key, d.value = placed(s, d.spec.Name, d.key, d.value)
	return &BufferView[K, V]{d: d, s: st}
}

// A Fill is how much a buffer holds.
type Fill struct{ Records, Bytes int64 }

// A BufferView reads and writes one partition of a buffer. It belongs to the goroutine
// of its task, and is not safe for concurrent use.
type BufferView[K, V any] struct {
	d      BufferStore[K, V]
	s      *state.Store
	layout state.Queue
	key    []byte // of an entry
	order  []byte
	buf    []byte
	parts  []byte // encoded values
}

// A Buffered is an update that is held back, and where it came from.
type Buffered[K, V any] struct {
	Change[K, V]
	Context []byte // of wire.AppendContext
}

// Put holds back an update until the time that it is due at. If an older one of its
// key is held back, the new one takes its place and its time. Put returns when the
// update is due, and by how much the buffer has grown.
func (v *BufferView[K, V]) Put(b Buffered[K, V], due int64) (at int64, grown Fill, err error) {
	held := wire.Buffered{Context: b.Context, At: due}
	if err := v.encode(&b.Change, &held); err != nil {
		return 0, Fill{}, err
	}
	if v.key, err = v.d.key.Append(v.layout.Entry(v.key[:0], nil), b.Key); err != nil {
		return 0, Fill{}, err
	}
	raw, _, there, err := v.s.Get(v.key)
	if err != nil {
		return 0, Fill{}, err
	}
	held.Prior = held.Old
	if there {
		was, err := wire.ParseBuffered(raw)
		if err != nil {
			return 0, Fill{}, err
		}
		held.Prior, held.At = was.Prior, was.At
		grown.Bytes = -was.Size(v.key[1:])
	} else {
		grown.Records = 1
		v.order = v.layout.Order(v.order[:0], v.key[1:], held.At)
		v.s.Absent(v.order)
		v.s.Put(v.order, nil, b.Time)
	}
	grown.Bytes += held.Size(v.key[1:])
	v.buf = wire.AppendBuffered(v.buf[:0], held)
	v.s.Put(v.key, v.buf, b.Time)
	return held.At, grown, nil
}

// encode fills in the values of an update.
func (v *BufferView[K, V]) encode(c *Change[K, V], held *wire.Buffered) (err error) {
	v.parts = v.parts[:0]
	n := 0
	if !c.NullOld {
		b, err := v.d.value.Append(v.parts, c.Old)
		if err != nil {
			return err
		}
		if b != nil {
			v.parts, n = b, len(b)
			held.Old = b[:n:n]
		}
	}
	if !c.NullNew {
		b, err := v.d.value.Append(v.parts, c.New)
		if err != nil {
			return err
		}
		if b != nil {
			v.parts = b
			held.New = b[n:]
			held.Old = renew(held.Old, b)
		}
	}
	return nil
}

// renew is the part of b that old, which b may have outgrown, is a copy of.
func renew(old, b []byte) []byte {
	if old == nil {
		return nil
	}
	return b[:len(old):len(old)]
}

// Prior returns what readers were last told of a key that is held back; ok is false if
// that is nothing, held if the key is not held back.
func (v *BufferView[K, V]) Prior(k K) (val V, ok, held bool, err error) {
	if v.key, err = v.d.key.Append(v.layout.Entry(v.key[:0], nil), k); err != nil {
		return val, false, false, err
	}
	raw, _, held, err := v.s.Get(v.key)
	if err != nil || !held {
		return val, false, false, err
	}
	b, err := wire.ParseBuffered(raw)
	if err != nil || b.Prior == nil {
		return val, false, true, err
	}
	val, err = v.d.value.Decode(b.Prior)
	return val, true, true, err
}

// Release takes updates out of the buffer, the one that is due first before the
// others, for as long as more says so of the time that the next is due at. It gives
// each to emit, and then the size by which the buffer has shrunk to shrunk. It returns
// the time of the first that is left, math.MaxInt64 if none is.
func (v *BufferView[K, V]) Release(more func(due int64) bool, emit func(Buffered[K, V]) error, shrunk func(Fill)) (next int64, err error) {
	next = math.MaxInt64
	lo, hi := v.layout.Orders()
	failed := v.s.Range(lo, hi, false, func(local, _ []byte, _ int64) bool {
		due, key := v.layout.Ordered(local)
		if !more(due) {
			next = due
			return false
		}
		var size int64
		if size, err = v.release(key, emit); err != nil {
			return false
		}
		v.order = append(v.order[:0], local...)
		v.s.Delete(v.order, due)
		shrunk(Fill{1, size})
		return true
	})
	if err == nil {
		err = failed
	}
	return next, err
}

// release takes one update out of the buffer. It returns its size.
func (v *BufferView[K, V]) release(key []byte, emit func(Buffered[K, V]) error) (size int64, err error) {
	entry := v.layout.Entry(nil, key)
	raw, at, ok, err := v.s.Get(entry)
	if err != nil || !ok {
		return 0, err
	}
	held, err := wire.ParseBuffered(raw)
	if err != nil {
		return 0, err
	}
	b, err := v.decode(key, &held)
	if err == nil {
		err = emit(b)
	}
	v.s.Delete(entry, at)
	return held.Size(key), err
}

func (v *BufferView[K, V]) decode(key []byte, held *wire.Buffered) (b Buffered[K, V], err error) {
	b.Context, b.NullOld, b.NullNew = held.Context, held.Old == nil, held.New == nil
	if b.Key, err = v.d.key.Decode(key); err != nil {
		return b, err
	}
	if !b.NullOld {
		if b.Old, err = v.d.value.Decode(held.Old); err != nil {
			return b, err
		}
	}
	if !b.NullNew {
		b.New, err = v.d.value.Decode(held.New)
	}
	return b, err
}

// Fill counts what the buffer holds. It reads all of it.
func (v *BufferView[K, V]) Fill() (f Fill, err error) {
	lo, hi := v.layout.Entries()
	failed := v.s.Range(lo, hi, false, func(local, raw []byte, _ int64) bool {
		var b wire.Buffered
		if b, err = wire.ParseBuffered(raw); err != nil {
			return false
		}
		f.Records++
		f.Bytes += b.Size(local[1:])
		return true
	})
	if err == nil {
		err = failed
	}
	return f, err
}
