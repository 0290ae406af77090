package serde

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Versioned returns a serde that writes version, as a varint, before what current
// writes, and reads what was written with any version that it knows: the older ones are
// migrated when they are read, and written anew when their value is next put. It is for
// the values of stores, which outlive the program that wrote them. A task whose store
// holds another version is refused when it is opened.
//
// Versions are chosen by the author, are never used again, and need not be consecutive.
// A serde is deterministic, but equal values have different bytes by version: a key must
// not be Versioned.
func Versioned[T any](version uint32, current Serde[T], older ...Migration[T]) Serde[T] {
	return &versionedSerde[T]{version: version, current: current, older: older}
}

// A Migration reads what an older version of the service wrote.
type Migration[T any] struct {
	version uint32
	bare    bool // from before there were versions
	decode  func(src []byte) (T, error)
	check   func(src []byte) error
	form    func(dst, src []byte) []byte
	doubts  func(form []byte) bool
	start   func(context.Context) error
	at      func(Place) Migration[T]
}

// Migrate reads what s wrote as version, and makes of it what the service knows today.
func Migrate[T, Old any](version uint32, s Serde[Old], up func(Old) (T, error)) Migration[T] {
	m := Migration[T]{version: version, check: checkOf(s)}
	m.doubts = func(form []byte) bool { return doubts(s, form, false) }
	m.form = func(dst, src []byte) []byte { return AppendForm(s, dst, src) }
	m.decode = func(src []byte) (v T, err error) {
		old, err := s.Decode(src)
		if err != nil {
			return v, err
		}
		return up(old)
	}
	m.start = func(ctx context.Context) error { return Start(ctx, Migrates, s) }
	m.at = func(p Place) Migration[T] { return Migrate(version, At(s, p), up) }
	return m
}

// MigrateBare is Migrate for what s wrote before its values had versions. Bytes that do
// not begin with a known version are taken for such a value: it must never begin with
// one. JSON does not, as long as versions are less than 9.
func MigrateBare[T, Old any](s Serde[Old], up func(Old) (T, error)) Migration[T] {
	m := Migrate(0, s, up)
	m.bare = true
	m.at = func(p Place) Migration[T] { return MigrateBare(At(s, p), up) }
	return m
}

func checkOf[T any](s Serde[T]) func([]byte) error {
	if c, ok := s.(Checker); ok {
		return c.Check
	}
	return func([]byte) error { return nil }
}

type versionedSerde[T any] struct {
	version uint32
	current Serde[T]
	older   []Migration[T]
}

func (s *versionedSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	out, err := s.current.Append(binary.AppendUvarint(dst, uint64(s.version)), v)
	if err != nil {
		return dst, err
	}
	return out, nil // nil if v is null
}

func (s *versionedSerde[T]) Decode(src []byte) (v T, err error) {
	if rest, ok := s.ours(src); ok {
		return s.current.Decode(rest)
	}
	m, rest, err := s.migration(src)
	if err != nil {
		return v, err
	}
	if v, err = m.decode(rest); err != nil {
		var zero T
		return zero, fmt.Errorf("%s: %w", m, err)
	}
	return v, nil
}

// ours is what follows the version, if that is the current one.
func (s *versionedSerde[T]) ours(src []byte) (rest []byte, ok bool) {
	version, n := binary.Uvarint(src)
	return src[max(n, 0):], n > 0 && version == uint64(s.version)
}

// migration finds who can read src, and what of it.
func (s *versionedSerde[T]) migration(src []byte) (m Migration[T], rest []byte, err error) {
	version, n := binary.Uvarint(src)
	for _, m := range s.older {
		if !m.bare && n > 0 && version == uint64(m.version) {
			return m, src[n:], nil
		}
	}
	for _, m := range s.older {
		if m.bare {
			return m, src, nil
		}
	}
	if n <= 0 {
		return m, nil, &DecodeError{Type: "version", Want: "a version before the value", Len: len(src), Err: ErrUnreadable}
	}
	return m, nil, &VersionError{Found: version, Known: s.known()}
}

func (s *versionedSerde[T]) known() []uint32 {
	known := []uint32{s.version}
	for _, m := range s.older {
		if !m.bare {
			known = append(known, m.version)
		}
	}
	slices.Sort(known)
	return known
}

func (m Migration[T]) String() string {
	if m.bare {
		return "a value without version"
	}
	return fmt.Sprint("version ", m.version)
}

// At serves Placer.
func (s *versionedSerde[T]) At(p Place) Serde[T] {
	out := &versionedSerde[T]{version: s.version, current: At(s.current, p)}
	for _, m := range s.older {
		out.older = append(out.older, m.at(p))
	}
	return out
}

// Start serves Starter.
func (s *versionedSerde[T]) Start(ctx context.Context, use Use) (err error) {
	known := s.known()
	for i := 1; i < len(known); i++ {
		if known[i] == known[i-1] {
			err = errors.Join(err, fmt.Errorf("version %d is given twice: each belongs to one form of the value", known[i]))
		}
	}
	for _, m := range s.older {
		if bad := m.start(ctx); bad != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", m, bad))
		}
	}
	return errors.Join(err, Start(ctx, use, s.current))
}

// Check serves Checker.
func (s *versionedSerde[T]) Check(src []byte) error {
	if rest, ok := s.ours(src); ok {
		return checkOf(s.current)(rest)
	}
	m, rest, err := s.migration(src)
	if err != nil {
		return err
	}
	return m.check(rest)
}

// AppendForm serves Formed: the form is the version, and that of what follows it.
func (s *versionedSerde[T]) AppendForm(dst, src []byte) []byte {
	if rest, ok := s.ours(src); ok {
		return AppendForm(s.current, append(dst, src[:len(src)-len(rest)]...), rest)
	}
	m, rest, err := s.migration(src)
	if err != nil {
		_, n := binary.Uvarint(src)
		if n <= 0 {
			n = min(len(src), binary.MaxVarintLen64)
		}
		return append(dst, src[:n]...)
	}
	return m.form(append(dst, src[:len(src)-len(rest)]...), rest)
}

// Doubts serves Doubter: who writes versions says by them which values are alike, unless what
// is inside knows more.
func (s *versionedSerde[T]) Doubts(form []byte) bool {
	if rest, ok := s.ours(form); ok {
		return doubts(s.current, rest, false)
	}
	m, rest, err := s.migration(form)
	return err == nil && m.doubts(rest)
}

// ZeroIsNull serves List.
func (s *versionedSerde[T]) ZeroIsNull() bool { return zeroIsNull(s.current) }

// A VersionError says that a value was written with a version that a Versioned serde
// does not know.
type VersionError struct {
	Found uint64
	Known []uint32
}

// Error says which version there is and which are known.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%v: it is version %d, and known are %v: deploy a service that knows it, or add its Migrate", ErrUnreadable, e.Found, e.Known)
}

// Unwrap returns ErrUnreadable.
func (e *VersionError) Unwrap() error { return ErrUnreadable }
