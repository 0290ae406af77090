package serde

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"reflect"
	"sync"
)

// JSON returns a serde that writes values of type T as JSON, by the rules of
// encoding/json/v2: names match with their case, a nil slice is [], text that
// is not UTF-8 and a name that is there twice are errors. Members that T does not
// have are skipped when decoding, so that a newer writer does not stop an older
// reader. Options say otherwise: Strict, Lenient, or any of encoding/json/v2.
// Maps are written in the order of their keys whatever they say: equal values
// have equal bytes.
func JSON[T any](options ...json.Options) Serde[T] {
	s := &jsonSerde[T]{name: reflect.TypeFor[T]().String()}
	s.options = json.JoinOptions(json.JoinOptions(options...), json.Deterministic(true))
	s.scratch.New = func() any { return new(jsonScratch[T]) }
	return s
}

var (
	// Strict makes JSON refuse members that the type does not have.
	Strict = json.RejectUnknownMembers(true)

	// Lenient makes JSON read what encoding/json of Go 1 reads: names match
	// without their case, the last of equal names counts, bytes that are not UTF-8
	// become U+FFFD.
	Lenient = json.JoinOptions(json.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
)

type jsonSerde[T any] struct {
	name    string
	options json.Options
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
	err := json.MarshalWrite(scratch, &scratch.value, s.options)
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
	if err := json.Unmarshal(src, &v, s.options); err != nil {
		var zero T
		return zero, &DecodeError{Type: s.name, Want: "JSON", Len: len(src), Err: err}
	}
	return v, nil
}
