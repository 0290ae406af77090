package topology

import (
	"fmt"
	"regexp"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
)

// A Topic is a typed Kafka topic. It is a value: declare it once and use it to
// build and to test.
type Topic[K, V any] struct {
	name  string
	key   serde.Serde[K]
	value serde.Serde[V]
	start task.Start
	place Partitioner[K, V]

	headed *headed[K, V] // nil for most
	router serde.Router  // nil: a key goes where all of its bytes say

	extract func(Record[K, V]) time.Time // nil: the record's own timestamp
	arrival bool
	invalid InvalidTime
}

// A Partitioner says to which of a topic's partitions a record goes: to all of
// those it returns, to none, which drops the record and counts it, or, if it
// returns None, to that of its key. It must not depend on anything but the record:
// after a crash it may be asked again.
type Partitioner[K, V any] = func(r Record[K, V], partitions int32) Opt[[]int32]

// NewTopic describes the topic called name.
func NewTopic[K, V any](name string, key serde.Serde[K], value serde.Serde[V]) Topic[K, V] {
	return Topic[K, V]{name: name, key: key, value: value}.placed(name, false)
}

// PartitionedBy returns a copy of t whose records, written by To, ToEach or
// Repartition, go where p says.
func (t Topic[K, V]) PartitionedBy(p Partitioner[K, V]) Topic[K, V] {
	t.place = p
	return t
}

// Name is the topic's name.
func (t Topic[K, V]) Name() string { return t.name }

// Encode returns r as bytes, nil where r has no key or value, and the headers that
// belong to them: those of r and what the serdes add.
func (t Topic[K, V]) Encode(r Record[K, V]) (key, value []byte, headers []Header, err error) {
	if t.appends() {
		one, set := t.withHeaders(r.Headers)
		key, value, _, err = one.Encode(r)
		return key, value, set.list, err
	}
	if !r.NullKey {
		if key, err = t.key.Append([]byte{}, r.Key); err != nil {
			return nil, nil, nil, err
		}
	}
	if !r.NullValue {
		if value, err = t.value.Append([]byte{}, r.Value); err != nil {
			return nil, nil, nil, err
		}
	}
	return key, value, r.Headers, nil
}

// Decode is the inverse of Encode. It does not retain key or value, but headers: the
// record has those that are not the serdes' own.
func (t Topic[K, V]) Decode(key, value []byte, headers ...Header) (Record[K, V], error) {
	return t.decode(key, value, headers)
}

func (t *Topic[K, V]) decodeBytes(key, value []byte) (r Record[K, V], err error) {
	r.NullKey, r.NullValue = key == nil, value == nil
	if key != nil {
		if r.Key, err = t.key.Decode(key); err != nil {
			return r, fmt.Errorf("key: %w: %w", task.ErrDecode, err)
		}
	}
	if value != nil {
		if r.Value, err = t.value.Decode(value); err != nil {
			return r, fmt.Errorf("value: %w: %w", task.ErrDecode, err)
		}
	}
	return r, nil
}

// Route returns the part of an encoded key that says which partition a record goes to:
// of a windowed key, the key without the window.
func (t Topic[K, V]) Route(key []byte) []byte {
	if t.router == nil || key == nil {
		return key
	}
	return t.router.Route(key)
}

// encodeTo is Encode into the arena of a task. It changes the headers of r to those
// that are to be written.
func (t *Topic[K, V]) encodeTo(a *task.Arena, r *Record[K, V]) (key, value []byte, err error) {
	if t.appends() {
		one, set := t.withHeaders(r.Headers)
		key, value, err = one.encodeTo(a, r)
		r.Headers = set.list
		return key, value, err
	}
	if !r.NullKey {
		if key, err = t.key.Append(a.Tail(), r.Key); err != nil {
			return nil, nil, fmt.Errorf("key for topic %q: %w", t.name, err)
		}
		key = take(a, key)
	}
	if !r.NullValue {
		if value, err = t.value.Append(a.Tail(), r.Value); err != nil {
			return nil, nil, fmt.Errorf("value for topic %q: %w", t.name, err)
		}
		value = take(a, value)
	}
	return key, value, nil
}

func take(a *task.Arena, b []byte) []byte {
	if b == nil {
		return nil // a null, by the serde's word
	}
	return a.Take(b)
}

// A Repartition is an internal topic that moves records to the partition of a new
// key. It is created by the runtime as <application>-<name>-repartition, and what
// has been processed is deleted from it.
type Repartition[K, V any] struct {
	Topic[K, V]
	partitions int32
}

// NewRepartition describes the repartition topic called name.
func NewRepartition[K, V any](name string, key serde.Serde[K], value serde.Serde[V]) Repartition[K, V] {
	return Repartition[K, V]{Topic: NewTopic(name, key, value)}
}

// Partitions returns a copy of r with a fixed number of partitions. By default it
// has as many as the topics that it is fed from.
func (r Repartition[K, V]) Partitions(n int32) Repartition[K, V] {
	r.partitions = n
	return r
}

// PartitionedBy returns a copy of r whose records go where p says.
func (r Repartition[K, V]) PartitionedBy(p Partitioner[K, V]) Repartition[K, V] {
	r.Topic = r.Topic.PartitionedBy(p)
	return r
}

func (r Repartition[K, V]) internal() task.Topic {
	return task.Topic{Name: r.name + "-repartition", Internal: true}
}

var legalName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,200}$`)

// Policy says what becomes of a record that fails.
type Policy = task.Policy

const (
	// Fail stops the service; nothing of the record's transaction takes effect.
	Fail = task.Fail
	// Skip drops the record, counts it, and goes on.
	Skip = task.Skip
	// DeadLetter writes the record to the dead-letter topic and goes on.
	DeadLetter = task.DeadLetter
)

// An Error says where processing failed: the task, the node, and the record in
// hand. Unwrap gives the cause.
type Error = task.Error

var (
	// ErrPanic is wrapped by the error of user code that panicked.
	ErrPanic = task.ErrPanic
	// ErrDecode is wrapped by the error of a record that its serde cannot decode.
	ErrDecode = task.ErrDecode
)
