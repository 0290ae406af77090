package avro

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/leatstream/leat/pkg/serde"
)

// A Codec is a serde of Avro's binary encoding. What it writes does not say by which
// schema it was written: Decode reads what was written with the codec's own, Reader
// what was written with another.
type Codec[T any] struct {
	name   string // of T
	schema *Schema
	err    error
	engine engine[T]
	decode func(src []byte) (T, error)
}

// An engine does the work of a codec for one Go type.
type engine[T any] interface {
	// append is Serde.Append, with errors that do not say yet for which schema.
	append(dst []byte, v T) ([]byte, error)
	// reader carries out s, whose reader is the schema of the codec.
	reader(s *step) (func(src []byte) (T, error), error)
}

var (
	_ serde.Schematic[int] = (*Codec[int])(nil)
	_ serde.Starter        = (*Codec[int])(nil)
)

// Of returns a codec of Go values by the schema in text; known are the texts of schemas
// whose types it names, each of which may name those before it. The package's
// documentation says which Go types go with which schemas.
//
// A mistake in the schema, or a T that does not go with it, is returned by Err, by
// Start, before the first record, and by every other method.
func Of[T any](text string, known ...string) *Codec[T] {
	return newCodec(text, known, func(s *Schema) (engine[T], error) { return newPlanned[T](s) })
}

func newCodec[T any](text string, known []string, engineFor func(*Schema) (engine[T], error)) *Codec[T] {
	c := &Codec[T]{name: reflect.TypeFor[T]().String()}
	c.err = func() (err error) {
		if c.schema, err = parseAll(text, known); err != nil {
			return err
		}
		if err := errors.Join(c.schema.check()...); err != nil {
			return err
		}
		if c.engine, err = engineFor(c.schema); err != nil {
			return fmt.Errorf("avro: %s by the schema %s:\n%w", c.name, c.schema.Name(), err)
		}
		c.decode, err = c.reader(c.schema)
		return err
	}()
	if c.err != nil {
		c.schema = &Schema{root: &node{}, text: text}
	}
	return c
}

func parseAll(text string, known []string) (*Schema, error) {
	var parsed []*Schema
	for _, k := range known {
		s, err := Parse(k, parsed...)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, s)
	}
	return Parse(text, parsed...)
}

// Err returns every mistake that makes the codec unusable, or nil.
func (c *Codec[T]) Err() error { return c.err }

// Start returns Err.
func (c *Codec[T]) Start(context.Context, serde.Use) error { return c.err }

// Schema describes what Append writes.
func (c *Codec[T]) Schema() serde.Schema { return c.schema.Form() }

// Append appends the encoding of v.
func (c *Codec[T]) Append(dst []byte, v T) ([]byte, error) {
	if c.err != nil {
		return dst, &serde.EncodeError{Type: c.name, Err: c.err}
	}
	out, err := c.engine.append(dst, v)
	if err != nil {
		return dst, encodeError(c.name, c.schema.root, err)
	}
	if out == nil {
		out = []byte{} // an encoding of no bytes, which is no null
	}
	return out, nil
}

// Decode reads what was written with the codec's own schema.
func (c *Codec[T]) Decode(src []byte) (T, error) {
	if c.err != nil {
		var zero T
		return zero, &serde.DecodeError{Type: c.name, Want: "Avro", Len: len(src), Err: c.err}
	}
	return c.decode(src)
}

// Reader returns a function that reads what was written with w. If nothing of it can be
// read, the error is an *IncompatibleError that names every difference. If some can, a
// value that cannot is an error when it is met.
func (c *Codec[T]) Reader(w serde.Schema) (func(src []byte) (T, error), error) {
	if c.err != nil {
		return nil, c.err
	}
	writer, err := Load(w)
	if err != nil {
		return nil, err
	}
	return c.reader(writer)
}

// ReadsAll serves serde.ReadsAller: it is false if the writer has branches of unions or
// symbols of enums that this codec's schema lacks.
func (c *Codec[T]) ReadsAll(w serde.Schema) bool {
	writer, err := Load(w)
	return err == nil && c.err == nil && len(Compatible(writer, c.schema)) == 0
}

func (c *Codec[T]) reader(writer *Schema) (func(src []byte) (T, error), error) {
	s, err := plan(writer, c.schema)
	if err != nil {
		return nil, err
	}
	read, err := c.engine.reader(s)
	if err != nil {
		return nil, err
	}
	return func(src []byte) (T, error) {
		v, err := read(src)
		if err != nil {
			var zero T
			return zero, decodeError(c.name, writer.root, len(src), err)
		}
		return v, nil
	}, nil
}

// planned is the engine of Go types: plans that are made once.
type planned[T any] struct {
	write   writeFn
	scratch sync.Pool // of *scratch[T]
}

// A scratch holds what the plans ask for by pointer, so that no call allocates it.
type scratch[T any] struct {
	value   T
	encoder encoder
	cursor  cursor
}

const maxKeys = 1 << 10 // of maps, for which a scratch keeps room

func newPlanned[T any](s *Schema) (*planned[T], error) {
	b := newBinder()
	e := &planned[T]{write: b.write(s.root, reflect.TypeFor[T](), false)}
	e.scratch.New = func() any { return new(scratch[T]) }
	return e, errors.Join(b.errs...)
}

func (e *planned[T]) append(dst []byte, v T) ([]byte, error) {
	s := e.scratch.Get().(*scratch[T])
	s.value, s.encoder.buf = v, dst
	err := e.write(&s.encoder, unsafe.Pointer(&s.value))
	out := s.encoder.buf
	e.put(s)
	return out, err
}

func (e *planned[T]) reader(s *step) (func(src []byte) (T, error), error) {
	b := newBinder()
	read := b.read(s, reflect.TypeFor[T](), false)
	return func(src []byte) (T, error) {
		s := e.scratch.Get().(*scratch[T])
		s.cursor = cursor{buf: src}
		err := read(&s.cursor, unsafe.Pointer(&s.value))
		if err == nil {
			err = s.cursor.end()
		}
		v := s.value
		e.put(s)
		return v, err
	}, errors.Join(b.errs...)
}

// put keeps nothing of the caller's.
func (e *planned[T]) put(s *scratch[T]) {
	keys := s.encoder.keys
	if cap(keys) > maxKeys {
		keys = nil
	}
	clear(keys[:cap(keys)])
	*s = scratch[T]{encoder: encoder{keys: keys[:0]}}
	e.scratch.Put(s)
}
