package serde

import (
	"encoding/json/v2"
	"reflect"
	"sync"
)

// JSON returns a serde that writes values of type T as JSON, by the rules of
// encoding/json/v2: names match with their case, a nil slice is [], text that
// is not UTF-8 is an error. Members that T does not have are skipped when
// decoding, so that a newer writer does not stop an older reader. Maps are
// written in the order of their keys: equal values have equal bytes.
func JSON[T any]() Serde[T] {
	s := &jsonSerde[T]{name: reflect.TypeFor[T]().String()}
	s.scratch.New = func() any { return new(jsonScratch[T]) }
	return s
}

type jsonSerde[T any] struct {
	name    string
	scratch sync.Pool // of *jsonScratch[T]
}

// A jsonScratch holds what the encoder asks for by pointer, so that a call of
// Append allocates neither.
type jsonScratch[T any] struct {
	value T
	out   []byte
}

// Write appends p. It makes the scratch the io.Writer that the encoder needs.
func (s *jsonScratch[T]) Write(p []byte) (int, error) {
	s.out = append(s.out, p...)
	return len(p), nil
}

func (s *jsonSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	scratch := s.scratch.Get().(*jsonScratch[T])
	scratch.value, scratch.out = v, dst
	err := json.MarshalWrite(scratch, &scratch.value, json.Deterministic(true))
	out := scratch.out
	*scratch = jsonScratch[T]{} // keeps nothing of the caller's
	s.scratch.Put(scratch)
	if err != nil {
		return dst, &EncodeError{Type: s.name, Err: err}
	}
	return out, nil
}

func (s *jsonSerde[T]) Decode(src []byte) (T, error) {
	var v T
	if err := json.Unmarshal(src, &v); err != nil {
		var zero T
		return zero, &DecodeError{Type: s.name, Want: "JSON", Len: len(src), Err: err}
	}
	return v, nil
}
