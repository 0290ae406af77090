package serde

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// List returns the serde of lists whose elements s encodes, with the bytes of Java's
// ListSerializer. A nil list is null. An element is null if s says so of its zero value
// by returning nil, as Bytes does and what Pointer returns; of other elements a null is
// an error.
func List[T any](s Serde[T]) Serde[[]T] {
	l := listSerde[T]{inner: s, name: reflect.TypeFor[[]T]().String()}
	if f, ok := s.(fixedSize); ok {
		l.size = f.fixedSize()
	}
	var zero T
	b, err := s.Append(nil, zero)
	l.nullable = b == nil && err == nil
	return l
}

type listSerde[T any] struct {
	inner    Serde[T]
	name     string
	size     int  // of an element; 0: each has its own
	nullable bool // the zero value is null
}

// fixedSize is implemented by the serdes that Java's lists keep without a length for
// each element.
type fixedSize interface{ fixedSize() int }

func (int16Serde) fixedSize() int   { return 2 }
func (int32Serde) fixedSize() int   { return 4 }
func (int64Serde) fixedSize() int   { return 8 }
func (float32Serde) fixedSize() int { return 4 }
func (float64Serde) fixedSize() int { return 8 }
func (uuidSerde) fixedSize() int    { return uuidLen }

// Two ways to write the elements, and the length of one that is null.
const (
	constantSize = 0
	variableSize = 1
	nullLength   = -1
)

func (l listSerde[T]) Append(dst []byte, v []T) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	if l.size > 0 {
		return l.appendConstant(dst, v)
	}
	return l.appendVariable(dst, v)
}

// appendConstant writes how many elements are null, where these are, how many elements
// there are, and those that are not null.
func (l listSerde[T]) appendConstant(dst []byte, v []T) ([]byte, error) {
	out := append(dst, constantSize, 0, 0, 0, 0)
	var nulls []byte
	body := len(out) + 4
	out = binary.BigEndian.AppendUint32(out, uint32(len(v)))
	for i, e := range v {
		next, err := l.inner.Append(out, e)
		switch {
		case err != nil:
			return dst, l.element(i, err)
		case next == nil:
			nulls = binary.BigEndian.AppendUint32(nulls, uint32(i))
		default:
			out = next
		}
	}
	binary.BigEndian.PutUint32(out[body-8:], uint32(len(nulls)/4))
	return slices.Insert(out, body-4, nulls...), nil
}

func (l listSerde[T]) appendVariable(dst []byte, v []T) ([]byte, error) {
	out := binary.BigEndian.AppendUint32(append(dst, variableSize), uint32(len(v)))
	for i, e := range v {
		at := len(out)
		out = append(out, 0xff, 0xff, 0xff, 0xff) // null
		next, err := l.inner.Append(out, e)
		if err != nil {
			return dst, l.element(i, err)
		}
		if next != nil {
			out = next
			binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
		}
	}
	return out, nil
}

func (l listSerde[T]) element(i int, err error) error {
	return &EncodeError{Type: l.name, Err: fmt.Errorf("element %d: %w", i, err)}
}

func (l listSerde[T]) Decode(src []byte) ([]T, error) {
	r := listReader{src, nil}
	var v []T
	switch way := r.byte(); {
	case r.err != nil:
	case way == constantSize && l.size > 0:
		v = l.constant(&r)
	case way == variableSize:
		v = l.variable(&r)
	default:
		r.fail("elements are written in way %d, which is not that of their type", way)
	}
	if r.err == nil && len(r.src) > 0 {
		r.fail("%d bytes are left over", len(r.src))
	}
	if r.err != nil {
		return nil, &DecodeError{Type: l.name, Want: "a list", Len: len(src), Err: r.err}
	}
	return v, nil
}

func (l listSerde[T]) constant(r *listReader) []T {
	nulls := r.bytes(r.count(4) * 4)
	n := r.length()
	if missing := len(nulls) / 4; r.err == nil && (n < missing || (n-missing)*l.size != len(r.src)) {
		r.fail("%d elements of %d bytes, %d of them null, do not take %d bytes", n, l.size, missing, len(r.src))
	}
	if r.err != nil {
		return nil
	}
	v := make([]T, n)
	for i := range v {
		if len(nulls) > 0 && int(binary.BigEndian.Uint32(nulls)) == i {
			nulls = nulls[4:]
			l.null(r, i)
			continue
		}
		if b := r.bytes(l.size); r.err == nil {
			v[i] = l.decode(r, i, b)
		}
	}
	if r.err == nil && len(nulls) > 0 {
		r.fail("the places of the null elements are not in order")
	}
	return v
}

func (l listSerde[T]) variable(r *listReader) []T {
	v := make([]T, r.count(4))
	for i := range v {
		if r.err != nil {
			break
		}
		if len(r.src) >= 4 && int32(binary.BigEndian.Uint32(r.src)) == nullLength {
			r.src = r.src[4:]
			l.null(r, i)
			continue
		}
		if b := r.bytes(r.length()); r.err == nil {
			v[i] = l.decode(r, i, b)
		}
	}
	return v
}

func (l listSerde[T]) decode(r *listReader, i int, src []byte) T {
	v, err := l.inner.Decode(src)
	if err != nil {
		r.err = fmt.Errorf("element %d: %w", i, err)
	}
	return v
}

func (l listSerde[T]) null(r *listReader, i int) {
	if !l.nullable {
		r.fail("element %d is null: wrap its serde in Pointer", i)
	}
}

// A listReader reads what a list is made of, up to the first error.
type listReader struct {
	src []byte
	err error
}

func (r *listReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

var errShort = errors.New("it ends too soon")

func (r *listReader) bytes(n int) []byte {
	if r.err == nil && n > len(r.src) {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

func (r *listReader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// length reads a number that is not negative.
func (r *listReader) length() int {
	b := r.bytes(4)
	if b == nil {
		return 0
	}
	n := int32(binary.BigEndian.Uint32(b))
	if n < 0 {
		r.fail("a length is %d", n)
		return 0
	}
	return int(n)
}

// count reads how many things of at least so many bytes follow. There cannot be more
// than there are bytes.
func (r *listReader) count(least int) int {
	n := r.length()
	if r.err == nil && n > len(r.src)/least {
		r.err = errShort
	}
	if r.err != nil {
		return 0
	}
	return n
}

// Pointer returns the serde of pointers to what s encodes. A nil pointer is null.
func Pointer[T any](s Serde[T]) Serde[*T] { return pointerSerde[T]{s} }

type pointerSerde[T any] struct{ inner Serde[T] }

func (s pointerSerde[T]) Append(dst []byte, v *T) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return s.inner.Append(dst, *v)
}

func (s pointerSerde[T]) Decode(src []byte) (*T, error) {
	v, err := s.inner.Decode(src)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

func (s pointerSerde[T]) fixedSize() int {
	if f, ok := s.inner.(fixedSize); ok {
		return f.fixedSize()
	}
	return 0
}
