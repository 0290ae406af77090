package serde

import (
	"bytes"
	"context"
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
//
// A record has one set of headers and a list many elements: what s could write to headers
// it does without, as in a store.
func List[T any](s Serde[T]) Serde[[]T] {
	l := listSerde[T]{inner: s, name: reflect.TypeFor[[]T]().String()}
	if f, ok := s.(fixedSize); ok {
		l.size = f.fixedSize()
	}
	return l
}

type listSerde[T any] struct {
	inner Serde[T]
	name  string
	size  int // of an element; 0: each has its own
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
	r := listReader{src: src}
	v := make([]T, l.begin(&r))
	for i := range v {
		e, null := r.next(i)
		switch {
		case r.err != nil:
		case null && !zeroIsNull(l.inner):
			r.fail("element %d is null: wrap its serde in Pointer", i)
		case !null:
			v[i] = l.decode(&r, i, e)
		}
		if r.err != nil {
			break
		}
	}
	if r.end(); r.err != nil {
		return nil, l.undecodable(src, r.err)
	}
	return v, nil
}

func (l listSerde[T]) undecodable(src []byte, err error) error {
	return &DecodeError{Type: l.name, Want: "a list", Len: len(src), Err: err}
}

// begin reads all that is before the elements, and returns how many there are.
func (l listSerde[T]) begin(r *listReader) (n int) {
	switch way := r.byte(); {
	case r.err != nil:
	case way == constantSize && l.size > 0:
		r.size, r.nulls = l.size, r.bytes(r.count(4)*4)
		n = r.length()
		if missing := len(r.nulls) / 4; r.err == nil && (n < missing || (n-missing)*l.size != len(r.src)) {
			r.fail("%d elements of %d bytes, %d of them null, do not take %d bytes", n, l.size, missing, len(r.src))
		}
	case way == variableSize:
		n = r.count(4)
	default:
		r.fail("elements are written in way %d, which is not that of their type", way)
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (l listSerde[T]) decode(r *listReader, i int, src []byte) T {
	v, err := l.inner.Decode(src)
	if err != nil {
		r.err = fmt.Errorf("element %d: %w", i, err)
	}
	return v
}

// each calls fn for the elements, with nil for one that is null, until it returns false. It
// returns what is wrong with the list.
func (l listSerde[T]) each(src []byte, fn func(i int, e []byte) bool) error {
	r := listReader{src: src}
	n := l.begin(&r)
	for i := range n {
		e, null := r.next(i)
		if null {
			e = nil
		}
		if r.err != nil {
			break
		}
		if !fn(i, e) {
			return nil
		}
	}
	r.end()
	return r.err
}

// At serves Placer.
func (l listSerde[T]) At(p Place) Serde[[]T] {
	l.inner = At(l.inner, p)
	return l
}

// Start serves Starter.
func (l listSerde[T]) Start(ctx context.Context, use Use) error { return start(ctx, l.inner, use) }

// tells reports whether there is anything to be told of an element without decoding it.
func (l listSerde[T]) tells() bool {
	_, ok := l.inner.(Checker)
	return ok
}

// Check serves Checker.
func (l listSerde[T]) Check(src []byte) (err error) {
	if !l.tells() {
		return nil
	}
	bad := l.each(src, func(i int, e []byte) bool {
		if e != nil {
			err = check(l.inner, e, 0)
		} else if !zeroIsNull(l.inner) {
			err = fmt.Errorf("%w: it is null", ErrUnreadable)
		}
		if err != nil {
			err = fmt.Errorf("element %d: %w", i, err)
		}
		return err == nil
	})
	if bad != nil {
		return fmt.Errorf("%w: %w", ErrUnreadable, l.undecodable(src, bad))
	}
	return err
}

// AppendForm serves Formed: the form is a list of the forms that elements have, each once.
func (l listSerde[T]) AppendForm(dst, src []byte) []byte {
	if !l.tells() {
		return dst
	}
	var forms [][]byte // each as an element of a list
	var form []byte
	err := l.each(src, func(_ int, e []byte) bool {
		form = append(form[:0], 0xff, 0xff, 0xff, 0xff) // null
		if e != nil {
			form = AppendForm(l.inner, form, e)
			binary.BigEndian.PutUint32(form, uint32(len(form)-4))
		}
		if at, have := slices.BinarySearchFunc(forms, form, bytes.Compare); !have {
			forms = slices.Insert(forms, at, bytes.Clone(form))
		}
		return true
	})
	if err != nil { // then this is wrong, too
		return append(dst, src[:min(1, len(src))]...)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, variableSize), uint32(len(forms)))
	for _, form := range forms {
		dst = append(dst, form...)
	}
	return dst
}

// Doubts serves Doubter.
func (l listSerde[T]) Doubts(form []byte) bool { return l.doubts(form, true) }

func (l listSerde[T]) doubts(form []byte, unknown bool) (doubt bool) {
	if !l.tells() {
		return unknown
	}
	_ = l.each(form, func(_ int, e []byte) bool { // Check says what is wrong
		doubt = e != nil && doubts(l.inner, e, unknown)
		return !doubt
	})
	return doubt
}

// ZeroIsNull serves List.
func (listSerde[T]) ZeroIsNull() bool { return true }

// A listReader reads what a list is made of, up to the first error.
type listReader struct {
	src   []byte
	err   error
	size  int    // of an element; 0: each says its own
	nulls []byte // the places of those that are null, where each has the same size
}

// next reads the element at i.
func (r *listReader) next(i int) (e []byte, null bool) {
	if r.size > 0 {
		if len(r.nulls) > 0 && int(binary.BigEndian.Uint32(r.nulls)) == i {
			r.nulls = r.nulls[4:]
			return nil, true
		}
		return r.bytes(r.size), false
	}
	if len(r.src) >= 4 && int32(binary.BigEndian.Uint32(r.src)) == nullLength {
		r.src = r.src[4:]
		return nil, true
	}
	return r.bytes(r.length()), false
}

// end sees that nothing is left.
func (r *listReader) end() {
	switch {
	case r.err != nil:
	case len(r.nulls) > 0:
		r.fail("the places of the null elements are not in order")
	case len(r.src) > 0:
		r.fail("%d bytes are left over", len(r.src))
	}
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
