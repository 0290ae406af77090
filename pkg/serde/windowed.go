package serde

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/leatstream/leat/pkg/window"
)

// TimeWindowed returns the serde of keys in windows of one size, as Java's
// TimeWindowedSerde writes them: the key, then the window's start in eight bytes. In a
// topic such a key goes to the partition that the key alone would go to. The longest
// duration there is stands for windows that never end.
func TimeWindowed[K any](inner Serde[K], size time.Duration) Serde[window.Windowed[K]] {
	if size == math.MaxInt64 {
		return byTime(inner, math.MaxInt64)
	}
	return byTime(inner, size.Milliseconds())
}

func byTime[K any](inner Serde[K], size int64) Serde[window.Windowed[K]] {
	return around(inner, timeWindowed[K]{}, func(s Serde[K]) wrapper[window.Windowed[K]] { return timeWindowed[K]{s, size} })
}

// SessionWindowed returns the serde of keys in sessions, as Java's SessionWindowedSerde
// writes them: the key, then the session's end and start in eight bytes each. In a
// topic such a key goes to the partition that the key alone would go to.
func SessionWindowed[K any](inner Serde[K]) Serde[window.Windowed[K]] {
	return around(inner, sessionWindowed[K]{}, func(s Serde[K]) wrapper[window.Windowed[K]] { return sessionWindowed[K]{s} })
}

// A Router is a serde of keys that go to a partition by a part of their bytes.
type Router interface {
	// Route returns the part of an encoded key that says where it goes.
	Route(key []byte) []byte
}

type timeWindowed[K any] struct {
	inner Serde[K]
	size  int64
}

func (s timeWindowed[K]) Append(dst []byte, w window.Windowed[K]) ([]byte, error) {
	b, err := s.inner.Append(dst, w.Key)
	if err != nil {
		return dst, err
	}
	if b == nil { // a null
		return nil, nil
	}
	return binary.BigEndian.AppendUint64(b, uint64(w.Start)), nil
}

func (s timeWindowed[K]) Decode(src []byte) (w window.Windowed[K], err error) {
	n := len(src) - 8
	if n < 0 {
		return w, &DecodeError{Type: "windowed key", Want: "8 bytes or more", Len: len(src)}
	}
	w.Start, w.End = int64(binary.BigEndian.Uint64(src[n:])), math.MaxInt64
	if w.Start <= math.MaxInt64-s.size {
		w.End = w.Start + s.size
	}
	w.Key, err = s.inner.Decode(src[:n])
	return w, err
}

func (s timeWindowed[K]) Route(key []byte) []byte { return key[:len(key)-8] }

func (s timeWindowed[K]) At(p Place) Serde[window.Windowed[K]] {
	return byTime(At(s.inner, p), s.size)
}

func (s timeWindowed[K]) Start(ctx context.Context, use Use) error { return start(ctx, s.inner, use) }

type sessionWindowed[K any] struct{ inner Serde[K] }

func (s sessionWindowed[K]) Append(dst []byte, w window.Windowed[K]) ([]byte, error) {
	b, err := s.inner.Append(dst, w.Key)
	if err != nil {
		return dst, err
	}
	if b == nil { // a null
		return nil, nil
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, uint64(w.End)), uint64(w.Start)), nil
}

func (s sessionWindowed[K]) Decode(src []byte) (w window.Windowed[K], err error) {
	n := len(src) - 16
	if n < 0 {
		return w, &DecodeError{Type: "session key", Want: "16 bytes or more", Len: len(src)}
	}
	w.End, w.Start = int64(binary.BigEndian.Uint64(src[n:])), int64(binary.BigEndian.Uint64(src[n+8:]))
	w.Key, err = s.inner.Decode(src[:n])
	return w, err
}

func (s sessionWindowed[K]) Route(key []byte) []byte { return key[:len(key)-16] }

func (s sessionWindowed[K]) At(p Place) Serde[window.Windowed[K]] {
	return SessionWindowed(At(s.inner, p))
}

func (s sessionWindowed[K]) Start(ctx context.Context, use Use) error {
	return start(ctx, s.inner, use)
}

func (s timeWindowed[K]) Check(src []byte) error { return check(s.inner, src, 8) }

func (s sessionWindowed[K]) Check(src []byte) error { return check(s.inner, src, 16) }

// AppendForm serves Formed: the form is that of the key, and some window.
func (s timeWindowed[K]) AppendForm(dst, src []byte) []byte { return appendForm(s.inner, dst, src, 8) }

// AppendForm serves Formed.
func (s sessionWindowed[K]) AppendForm(dst, src []byte) []byte {
	return appendForm(s.inner, dst, src, 16)
}

// Doubts serves Doubter.
func (s timeWindowed[K]) Doubts(form []byte) bool { return s.doubts(form, true) }

// Doubts serves Doubter.
func (s sessionWindowed[K]) Doubts(form []byte) bool { return s.doubts(form, true) }

func (s timeWindowed[K]) doubts(form []byte, unknown bool) bool {
	return doubts(s.inner, form[:max(0, len(form)-8)], unknown)
}

func (s sessionWindowed[K]) doubts(form []byte, unknown bool) bool {
	return doubts(s.inner, form[:max(0, len(form)-16)], unknown)
}

// ZeroIsNull serves List.
func (s timeWindowed[K]) ZeroIsNull() bool { return zeroIsNull(s.inner) }

// ZeroIsNull serves List.
func (s sessionWindowed[K]) ZeroIsNull() bool { return zeroIsNull(s.inner) }

func appendForm(s any, dst, src []byte, tail int) []byte {
	var window [16]byte
	return append(AppendForm(s, dst, src[:max(0, len(src)-tail)]), window[:tail]...)
}
