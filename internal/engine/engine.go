// Package engine says what leat asks of the local copy of a store: an ordered
// map of bytes per store partition, read at random and written in atomic
// batches that carry the changelog positions they correspond to.
//
// An engine knows nothing of topics, transactions or types. It only ever holds
// committed state: the layers above keep what is not committed yet.
package engine

import (
	"cmp"
	"errors"
	"slices"
)

// ErrCorrupt is wrapped by errors of an engine that found its data damaged.
// The cure is to drop the namespace, or the whole engine, and to restore.
var ErrCorrupt = errors.New("engine: local state is corrupt")

// ErrLocked is wrapped by the error of opening an engine whose directory
// another process uses.
var ErrLocked = errors.New("engine: directory is locked by another process")

// A Namespace names one partition of one store. It never holds a
// sub-topology's number, so that a changed topology finds its state again.
type Namespace struct {
	Store     string // [a-zA-Z0-9._-]+
	Partition int32
}

// Compare orders namespaces by store, then by partition.
func (ns Namespace) Compare(other Namespace) int {
	return cmp.Or(cmp.Compare(ns.Store, other.Store), cmp.Compare(ns.Partition, other.Partition))
}

// A Position says which part of a changelog a namespace holds.
type Position struct {
	Topic  [16]byte // the changelog topic's id; another id means another topic
	Offset int64    // every committed record below it has been applied
	Time   int64    // wall-clock ms at which Offset was last known to be current
}

// An Engine stores namespaces. Its methods may be called concurrently.
type Engine interface {
	// Get appends the value of key to dst and returns it. A missing key is
	// not an error: ok is false. An empty value is a value: what is returned
	// for it is not nil, even if dst is.
	Get(ns Namespace, key, dst []byte) (value []byte, ok bool, err error)

	// Range returns the entries with lo <= key < hi in key order, or in
	// reverse. A nil bound is open; an empty one is not, it is the empty key.
	// Range keeps neither bound. It sees the engine as it was when it was
	// called. The iterator must be closed.
	Range(ns Namespace, lo, hi []byte, reverse bool) (Iterator, error)

	// Position returns the position written by the last batch that held one.
	Position(ns Namespace) (p Position, ok bool, err error)

	// Namespaces lists the namespaces that have a position, by store name and
	// then by partition.
	Namespaces() ([]Namespace, error)

	// Write applies b atomically: a reader, and the engine after a crash, has
	// all of it or none. Batches become durable in the order they were
	// written: a crash, of the process too, may lose the last ones, never one
	// from the middle. b may be reused after it has been reset.
	Write(b *Batch) error

	// Drop removes everything of ns, its position included.
	Drop(ns Namespace) error

	// Close releases the engine. Calls that come later get an error, and so
	// does Close itself if iterators are still open.
	Close() error
}

// An Iterator walks over entries, beginning before the first one. Key and Value
// are valid until the next call of Next or Close, never nil, and must not be
// changed. It is not safe for concurrent use.
type Iterator interface {
	Next() bool // false at the end, and from then on, and at an error
	Key() []byte
	Value() []byte
	Close() error // the first error met, if any
}

// An Op is one change of a Batch.
type Op struct {
	Kind  OpKind
	NS    Namespace
	Key   []byte
	Value []byte
}

// OpKind says what an Op does.
type OpKind int8

const (
	Set         OpKind = iota // of Key to Value
	Delete                    // of Key
	DeleteBelow               // of all keys less than Key
)

// A Batch is a list of changes. The zero value is an empty batch. It refers to
// the slices it was given: they must not change until Write has returned.
type Batch struct {
	Ops       []Op
	Positions map[Namespace]Position

	// Loose says that the changes are soon had again: a crash may lose them, and all that
	// is written after them, up to the next batch that is not loose.
	Loose bool

	bytes int
}

// Set adds a write of key. A nil value is written as an empty one.
func (b *Batch) Set(ns Namespace, key, value []byte) {
	b.add(Op{Set, ns, key, value})
	b.bytes += len(key) + len(value)
}

// Delete adds a removal of key.
func (b *Batch) Delete(ns Namespace, key []byte) {
	b.add(Op{Delete, ns, key, nil})
	b.bytes += len(key)
}

// DeleteBelow adds a removal of every key less than key. It costs no more for many
// keys than for few where the engine can help it.
func (b *Batch) DeleteBelow(ns Namespace, key []byte) {
	b.add(Op{DeleteBelow, ns, key, nil})
	b.bytes += len(key)
}

// add doubles what is full: append alone adds a quarter to a long slice, and by the time a
// batch has its size, each change has been copied four times.
func (b *Batch) add(op Op) {
	if len(b.Ops) == cap(b.Ops) {
		b.Ops = slices.Grow(b.Ops, max(64, len(b.Ops)))
	}
	b.Ops = append(b.Ops, op)
}

// SetPosition records the position of ns that holds once b is applied.
func (b *Batch) SetPosition(ns Namespace, p Position) {
	if b.Positions == nil {
		b.Positions = map[Namespace]Position{}
	}
	b.Positions[ns] = p
}

// Bytes is the sum of the sizes of the keys and values in b.
func (b *Batch) Bytes() int { return b.bytes }

// Empty reports whether b changes nothing.
func (b *Batch) Empty() bool { return len(b.Ops) == 0 && len(b.Positions) == 0 }

// Reset empties b and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Ops)
	b.Ops, b.bytes, b.Loose = b.Ops[:0], 0, false
	clear(b.Positions)
}
