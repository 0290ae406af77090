package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/leatstream/leat/internal/state"
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

// Serdes are those of a store, for the checks before the first record: a serde for an
// entry's key and one for its value. The zero value needs no check.
type Serdes struct {
	at   func(changelog string) (key, value any)
	tail int // bytes that the changelog's keys have behind the encoded key
}

func serdesOf[K, V any](key serde.Serde[K], value serde.Serde[V], tail int) Serdes {
	if key == nil || value == nil {
		return Serdes{}
	}
	at := func(changelog string) (any, any) {
		return serde.At(key, place(changelog, serde.Key)), serde.At(value, place(changelog, serde.Value))
	}
	return Serdes{at, tail}
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
func (s Serdes) Start(ctx context.Context, changelog string) (err error) {
	if s.at == nil {
		return nil
	}
	key, value := s.at(changelog)
	for _, part := range []any{key, value} {
		if starter, ok := part.(serde.Starter); ok {
			err = errors.Join(err, starter.Start(ctx, serde.Reads|serde.Writes))
		}
	}
	return err
}

// Checker returns what checks one entry as the changelog has it, by the serdes that
// can; nil if neither can.
func (s Serdes) Checker(changelog string) func(key, value []byte) error {
	if s.at == nil {
		return nil
	}
	k, v := s.at(changelog)
	keys, _ := k.(serde.Checker)
	values, _ := v.(serde.Checker)
	if keys == nil && values == nil {
		return nil
	}
	return func(key, value []byte) error {
		if keys != nil {
			if err := keys.Check(key[:max(0, len(key)-s.tail)]); err != nil {
				return fmt.Errorf("key: %w", err)
			}
		}
		if values != nil {
			if err := values.Check(value); err != nil {
				return fmt.Errorf("value: %w", err)
			}
		}
		return nil
	}
}
