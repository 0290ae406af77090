package avro

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leatstream/leat/pkg/serde"
)

// A SingleObject is a serde of Avro's single-object encoding: two bytes of a marker, the
// fingerprint of the schema, then what a Codec writes. So it reads what was written with
// each of several schemas, and needs no registry.
type SingleObject[T any] struct {
	codec   *Codec[T]
	err     error
	header  []byte
	readers map[uint64]func(src []byte) (T, error)
	partly  map[uint64]bool // not everything that was written with that schema can be read
}

const headerLen = 10

var _ serde.Starter = (*SingleObject[int])(nil)

// SingleObject returns a serde that writes with the schema of c and reads what was
// written with that one or one of writers, which are texts of schemas. Those may name
// the types that c's schema was given, and are mistakes if nothing of what they write
// can be read.
func (c *Codec[T]) SingleObject(writers ...string) *SingleObject[T] {
	s := &SingleObject[T]{codec: c, err: c.err}
	if s.err != nil {
		return s
	}
	s.header = binary.LittleEndian.AppendUint64([]byte{0xC3, 0x01}, c.schema.fingerprint)
	s.readers = map[uint64]func([]byte) (T, error){c.schema.fingerprint: c.decode}
	s.partly = map[uint64]bool{}
	var errs []error
	for _, text := range writers {
		w, err := Parse(text, c.schema.references...)
		if err == nil && s.readers[w.fingerprint] == nil {
			s.readers[w.fingerprint], err = c.reader(w)
			s.partly[w.fingerprint] = len(Compatible(w, c.schema)) > 0
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	s.err = errors.Join(errs...)
	return s
}

// Err returns every mistake in the schemas, or nil.
func (s *SingleObject[T]) Err() error { return s.err }

// Start returns Err.
func (s *SingleObject[T]) Start(context.Context, serde.Use) error { return s.err }

// Append appends the marker, the fingerprint and the encoding of v.
func (s *SingleObject[T]) Append(dst []byte, v T) ([]byte, error) {
	if s.err != nil {
		return dst, &serde.EncodeError{Type: s.codec.name, Err: s.err}
	}
	out, err := s.codec.Append(append(dst, s.header...), v)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Decode reads what was written with any of the schemas. The error for another schema
// wraps ErrUnknownSchema.
func (s *SingleObject[T]) Decode(src []byte) (T, error) {
	err := s.err
	switch {
	case err != nil:
	case len(src) < headerLen || src[0] != 0xC3 || src[1] != 0x01:
		err = errors.New("want C3 01 and eight bytes of a fingerprint first")
	default:
		fp := binary.LittleEndian.Uint64(src[2:])
		if read := s.readers[fp]; read != nil {
			return read(src[headerLen:])
		}
		err = fmt.Errorf("%w: %016x", ErrUnknownSchema, fp)
	}
	var zero T
	return zero, &serde.DecodeError{Type: s.codec.name, Want: "an Avro single object", Len: len(src), Err: err}
}

// AppendForm serves serde.Formed: the form is the marker and the fingerprint.
func (s *SingleObject[T]) AppendForm(dst, src []byte) []byte {
	return append(dst, src[:min(len(src), headerLen)]...)
}

// Doubts serves serde.Doubter: there is a doubt if the form's schema has branches of unions or
// symbols of enums that the codec's lacks.
func (s *SingleObject[T]) Doubts(form []byte) bool {
	return len(form) >= headerLen && s.partly[binary.LittleEndian.Uint64(form[2:])]
}

// Check says whether src was written with a schema that s knows.
func (s *SingleObject[T]) Check(src []byte) error {
	if s.err != nil {
		return s.err
	}
	if len(src) < headerLen || src[0] != 0xC3 || src[1] != 0x01 {
		return fmt.Errorf("%w: it is no Avro single object", serde.ErrUnreadable)
	}
	if fp := binary.LittleEndian.Uint64(src[2:]); s.readers[fp] == nil {
		return fmt.Errorf("%w: %w: %016x", serde.ErrUnreadable, ErrUnknownSchema, fp)
	}
	return nil
}
