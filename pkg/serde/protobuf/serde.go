// Package protobuf encodes generated Protobuf messages. It knows the language of
// schemas, so that a registry's can be compared with the generated code, and no
// registry.
package protobuf

import (
	"bytes"
	"reflect"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/leatstream/leat/pkg/serde"
)

// A Serde encodes messages of the generated type T, such as *orders.Order. A nil message
// is null. Fields of a newer writer that T does not have are kept, and written again.
//
// Equal messages have equal bytes in one build of a program; Protobuf promises no more,
// so that a message is a bad choice for a key.
type Serde[T proto.Message] struct {
	message protoreflect.MessageType
	name    string
	schema  func() serde.Schema
}

// New returns the serde of T.
func New[T proto.Message]() *Serde[T] {
	var zero T
	m := zero.ProtoReflect().Type()
	s := &Serde[T]{message: m, name: reflect.TypeFor[T]().String()}
	s.schema = sync.OnceValue(func() serde.Schema { return schemaOf(m.Descriptor()) })
	return s
}

var (
	encoding = proto.MarshalOptions{Deterministic: true}
	decoding = proto.UnmarshalOptions{NoLazyDecoding: true} // what is lazy refers to the bytes
)

// Append serves serde.Serde.
func (s *Serde[T]) Append(dst []byte, v T) ([]byte, error) {
	if !v.ProtoReflect().IsValid() {
		return nil, nil
	}
	if dst == nil {
		dst = []byte{}
	}
	out, err := encoding.MarshalAppend(dst, v)
	if err != nil {
		return dst, &serde.EncodeError{Type: s.name, Err: err}
	}
	return out, nil
}

// Decode serves serde.Serde.
func (s *Serde[T]) Decode(src []byte) (T, error) {
	v := s.message.New().Interface().(T)
	if err := decoding.Unmarshal(src, v); err != nil {
		var zero T
		return zero, &serde.DecodeError{Type: s.name, Want: "a Protobuf message", Len: len(src), Err: err}
	}
	return v, nil
}

// Schema serves serde.Schematic. The text is made from the generated code: comments,
// services and options of one's own are not in it.
func (s *Serde[T]) Schema() serde.Schema { return s.schema() }

// Reader serves serde.Schematic. Fields are known by their numbers: what w has must have
// the type that T has, or one that is written alike.
func (s *Serde[T]) Reader(w serde.Schema) (func(src []byte) (T, error), error) {
	ours := s.message.Descriptor()
	if w.Text == s.Schema().Text && (w.Index == nil || equal(w.Index, s.Schema().Index)) {
		return s.Decode, nil
	}
	theirs, err := find(w, ours.FullName())
	if err != nil {
		return nil, err
	}
	if err := readable(theirs, ours); err != nil {
		return nil, err
	}
	return s.Decode, nil
}

// ReadsAll serves serde.ReadsAller: it is false if bytes were written that are text here.
func (s *Serde[T]) ReadsAll(w serde.Schema) bool {
	ours := s.message.Descriptor()
	theirs, err := find(w, ours.FullName())
	if err != nil {
		return false
	}
	c := compare(theirs, ours)
	return !c.partly && len(c.errs) == 0
}

// Same reports whether w is T's own schema, however it is written.
func (s *Serde[T]) Same(w serde.Schema) bool {
	file, err := compile(w)
	return err == nil && bytes.Equal(print(file), print(s.message.Descriptor().ParentFile()))
}

func equal(a, b []int) bool { return reflect.DeepEqual(a, b) }
