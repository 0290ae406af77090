package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/serde"
)

// A Scope is where a store can be opened: a processor's context or a test
// driver. Only leat implements it.
type Scope interface {
	// OpenStore returns the bytes of the store called name. It panics if the
	// scope has no right to that store: a processor must declare what it uses.
	OpenStore(name string) *state.Store
	// ReadStore is OpenStore for who only reads.
	ReadStore(name string) *state.Store
	// Now is the timestamp, in ms, that a write gets which names none.
	Now() int64
	// Late counts a write that came too late to be kept.
	Late()
	// Changelog is the topic that the store called name is restored from, or would be
	// if it had one.
	Changelog(name string) string
}

// A Descriptor describes a store of any kind. Only this package implements it.
type Descriptor interface {
	Name() string
	Spec() Spec
}

// A Spec is what the runtime needs to know of a store.
type Spec struct {
	Name    string
	Logged  bool              // backed by a changelog topic
	Configs map[string]string // of the changelog topic, beyond the defaults
	Layout  state.Layout      // nil: an entry is what the changelog has
	Serdes  Serdes            // of what the changelog has
	Headers map[string][]byte // of the changelog's records that have a value

	// ReadOnly says that who names the store only reads it: how it is kept is said
	// elsewhere.
	ReadOnly bool
}

// Serdes are those of a store, for the checks before the first record. The zero value
// needs no check.
type Serdes struct {
	at      func(changelog string) []part // the keys' first
	cut     cutFn
	started bool // who uses them has them checked before there is an entry
}

// A part is one of a store's serdes.
type part struct {
	name  string // of what it is
	serde any
	read  func(src []byte) error // decodes; nil if there is nothing that cannot be
}

func partOf[T any](name string, s serde.Serde[T]) part {
	if serde.ReadsAny(s) {
		return part{name: name, serde: s}
	}
	return part{name, s, func(src []byte) error {
		_, err := s.Decode(src)
		return err
	}}
}

// A cutFn finds in an entry, as the changelog has it, what serdes have written, and shows
// each part, which is not nil, with the place of its serde.
type cutFn func(key, value []byte, show func(serde int, part []byte) error) error

// The places of serdes of most stores.
const (
	keyPart = iota
	valuePart
)

func serdesOf[K, V any](key serde.Serde[K], value serde.Serde[V], cut cutFn) Serdes {
	if key == nil || value == nil {
		return Serdes{}
	}
	return Serdes{cut: cut, at: func(changelog string) []part {
		return []part{partOf("key", serde.At(key, place(changelog, serde.Key))), partOf("value", serde.At(value, place(changelog, serde.Value)))}
	}}
}

// cutTail is for entries that are a key, with some bytes behind it, and a value.
func cutTail(tail int) cutFn {
	return func(key, value []byte, show func(int, []byte) error) error {
		if len(key) < tail {
			return fmt.Errorf("a key of %d bytes: %w", len(key), wire.ErrFormat)
		}
		if err := show(keyPart, key[:len(key)-tail]); err != nil {
			return err
		}
		return show(valuePart, value)
	}
}

// cutBuffered is for what waits, with the key as it is.
func cutBuffered(key, value []byte, show func(int, []byte) error) error {
	held, err := wire.ParseBuffered(value)
	if err != nil {
		return err
	}
	if err := show(keyPart, key); err != nil {
		return err
	}
	for _, part := range [][]byte{held.Prior, held.Old, held.New} {
		if part == nil {
			continue
		}
		if err := show(valuePart, part); err != nil {
			return err
		}
	}
	return nil
}

func place(changelog string, part serde.Part) serde.Place {
	return serde.Place{Topic: changelog, Part: part, Internal: true}
}

// placed returns a store's serdes for where they are used.
func placed[K, V any](s Scope, name string, key serde.Serde[K], value serde.Serde[V]) (serde.Serde[K], serde.Serde[V]) {
	changelog := s.Changelog(name)
	return stored[K]{serde.At(key, place(changelog, serde.Key)), name}, stored[V]{serde.At(value, place(changelog, serde.Value)), name}
}

// A stored serde says of what it cannot decode that it was in a store.
type stored[T any] struct {
	serde.Serde[T]
	store string
}

func (s stored[T]) Decode(src []byte) (T, error) {
	v, err := s.Serde.Decode(src)
	if err != nil {
		err = &unreadable{s.store, err}
	}
	return v, err
}

// unreadable is the error of an entry that cannot be decoded. The record that met it is
// not at fault: passed over, it would be lost for good.
type unreadable struct {
	store string
	err   error
}

func (e *unreadable) Error() string { return "store " + e.store + ": " + e.err.Error() }
func (e *unreadable) Unwrap() error { return e.err }
func (e *unreadable) Unskippable()  {}

// Start checks what can be checked before there is an entry.
func (s Serdes) Start(ctx context.Context, changelog string) error {
	if s.at == nil || s.started {
		return nil
	}
	var all []any
	for _, p := range s.at(changelog) {
		all = append(all, p.serde)
	}
	return serde.Start(ctx, serde.Reads|serde.Writes, all...)
}

// Agree reports whether two declarations of a store can have been made for the same bytes:
// whether their serdes are of the same types. Who sees bytes only may do so.
func (s Serdes) Agree(other Serdes) bool {
	if s.at == nil || other.at == nil {
		return true
	}
	mine, theirs := s.at(""), other.at("")
	return slices.EqualFunc(mine, theirs, func(a, b part) bool {
		return a.serde == any(serde.Bytes) || b.serde == any(serde.Bytes) || fmt.Sprintf("%T", a.serde) == fmt.Sprintf("%T", b.serde)
	})
}

// about says of an error which part of an entry it is that cannot be read.
func (p part) about(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, err)
}
