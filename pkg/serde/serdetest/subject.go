package serdetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/leatstream/leat/pkg/serde"
)

// A subject is the serde under test. Its methods each check one promise on one
// value and say how it was broken.
type subject[T any] struct {
	serde serde.Serde[T]
	equal func(a, b T) bool
}

type check[T any] struct {
	promise string
	holds   func(T) error
}

func (s *subject[T]) checks() []check[T] {
	return []check[T]{
		{"survives a round trip", s.roundTrip},
		{"is never nil", s.notNil},
		{"is deterministic", s.deterministic},
		{"appends", s.appends},
		{"does not keep or change src", s.leavesSrc},
		{"does not panic on truncated input", s.truncated},
		{"can be used concurrently", s.concurrent},
		{"reads what its schema describes", s.described},
		{"tells what it can read", s.tells},
	}
}

func (s *subject[T]) encode(v T) (enc []byte, err error) {
	err = guard(func() error {
		enc, err = s.serde.Append(nil, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("in Append: %w", err)
	}
	return enc, nil
}

func (s *subject[T]) decode(src []byte) (v T, err error) {
	err = guard(func() error {
		v, err = s.serde.Decode(src)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("in Decode(%q): %w", src, err)
	}
	return v, nil
}

func (s *subject[T]) roundTrip(v T) error {
	enc, err := s.encode(v)
	if err != nil {
		return err
	}
	back, err := s.decode(enc)
	if err == nil && !s.equal(v, back) {
		err = fmt.Errorf("comes back from %q as %v", enc, back)
	}
	return err
}

// notNil: a nil would be taken for a null, and delete instead of write.
func (s *subject[T]) notNil(v T) error {
	enc, err := s.encode(v)
	if err == nil && enc == nil {
		err = errors.New("in Append(nil, v) returned nil")
	}
	return err
}

// null: whatever there is to append to, the answer is nil, and dst stays as it is.
func (s *subject[T]) null(v T) error {
	for _, dst := range [][]byte{nil, {}, []byte("before"), append(make([]byte, 0, 64), "before"...)} {
		was := bytes.Clone(dst)
		var out []byte
		err := guard(func() (err error) {
			out, err = s.serde.Append(dst, v)
			return err
		})
		switch {
		case err != nil:
			return fmt.Errorf("in Append: %w", err)
		case out != nil:
			return fmt.Errorf("in Append to %q returned %q, and nil is null", was, out)
		case !bytes.Equal(dst, was):
			return fmt.Errorf("in Append changed what dst held to %q", dst)
		}
	}
	return nil
}

// described checks a serde that has a schema: who is given that schema must be able to
// read the bytes.
func (s *subject[T]) described(v T) error {
	schematic, ok := s.serde.(serde.Schematic[T])
	if !ok {
		return nil
	}
	enc, err := s.encode(v)
	if err != nil {
		return err
	}
	read, err := schematic.Reader(schematic.Schema())
	if err != nil {
		return fmt.Errorf("in Reader of its own schema: %w", err)
	}
	back, err := read(enc)
	if err == nil && !s.equal(v, back) {
		err = fmt.Errorf("its own Reader makes %v of it", back)
	}
	return err
}

// tells checks a serde that can tell what it can read: it takes what it wrote, and goes
// by the form alone if it has forms.
func (s *subject[T]) tells(v T) error {
	checker, ok := any(s.serde).(serde.Checker)
	if !ok {
		return nil
	}
	enc, err := s.encode(v)
	if err != nil {
		return err
	}
	if err := guard(func() error { return checker.Check(enc) }); err != nil {
		return fmt.Errorf("in Check of what it wrote, %q: %w", enc, err)
	}
	for n := range len(enc) + 1 {
		if err := guard(func() error { return s.formed(checker, enc[:n:n]) }); err != nil {
			return fmt.Errorf("in AppendForm of the first %d of %d bytes, %q: %w", n, len(enc), enc[:n], err)
		}
	}
	return nil
}

func (s *subject[T]) formed(checker serde.Checker, src []byte) error {
	formed, ok := checker.(serde.Formed)
	if !ok {
		return nil
	}
	was := bytes.Clone(src)
	form := formed.AppendForm([]byte("before"), src)
	if !bytes.Equal(src, was) {
		return errors.New("it changed them")
	}
	form, ok = bytes.CutPrefix(form, []byte("before"))
	if !ok {
		return fmt.Errorf("it made %q of what dst held", form)
	}
	whole, part := checker.Check(src), checker.Check(form)
	if (whole == nil) != (part == nil) {
		return fmt.Errorf("of them Check returns %v, and of their form, %q, %v", whole, form, part)
	}
	return nil
}

func (s *subject[T]) deterministic(v T) error {
	first, err := s.encode(v)
	for range 20 { // a map of two keys comes out in one order 20 times once in a million
		if err != nil {
			return err
		}
		var again []byte
		if again, err = s.encode(v); err == nil && !bytes.Equal(first, again) {
			err = fmt.Errorf("encodes to %q and to %q", first, again)
		}
	}
	return err
}

// appends checks that what dst holds is left alone, with and without room
// behind it, and that the bytes do not depend on it.
func (s *subject[T]) appends(v T) error {
	enc, err := s.encode(v)
	if err != nil {
		return err
	}
	const prefix = "\x00before\xff"
	for _, room := range []int{0, len(enc) / 2, len(enc) + 64} {
		dst := append(make([]byte, 0, len(prefix)+room), prefix...)
		out, err := s.serde.Append(dst, v)
		if err != nil {
			return err
		}
		if want := prefix + string(enc); string(out) != want {
			return fmt.Errorf("in Append to %q with room for %d gives %q, want %q", prefix, room, out, want)
		}
		if string(dst) != prefix {
			return fmt.Errorf("in Append changed what dst held to %q", dst)
		}
	}
	return nil
}

func (s *subject[T]) leavesSrc(v T) error {
	enc, err := s.encode(v)
	if err != nil {
		return err
	}
	src := bytes.Clone(enc)
	back, err := s.decode(src)
	if err != nil {
		return err
	}
	if !bytes.Equal(src, enc) {
		return fmt.Errorf("in Decode changed src from %q to %q", enc, src)
	}
	for i := range src {
		src[i] ^= 0xa5
	}
	if !s.equal(v, back) {
		return fmt.Errorf("the value decoded became %v when src was overwritten", back)
	}
	return nil
}

// truncated decodes every beginning of the encoding. An error is what is
// expected; a value is possible, where the rest is optional.
func (s *subject[T]) truncated(v T) error {
	enc, err := s.encode(v)
	if err != nil {
		return err
	}
	for n := range enc {
		src := enc[:n:n]
		if err := guard(func() error { s.serde.Decode(src); return nil }); err != nil {
			return fmt.Errorf("in Decode of the first %d of %d bytes, %q: %w", n, len(enc), src, err)
		}
	}
	return nil
}

func (s *subject[T]) concurrent(v T) error {
	enc, err := s.encode(v)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			for range 50 {
				again, err := s.encode(v)
				if err == nil && !bytes.Equal(again, enc) {
					err = fmt.Errorf("encodes to %q and to %q", enc, again)
				}
				if err == nil {
					err = s.roundTrip(v)
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
