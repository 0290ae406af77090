package serde

import "context"

// A wrapper is a serde around another one, of which it hands on what does not depend on
// whether that one has it. The rest is added by around.
type wrapper[T any] interface {
	Serde[T]
	Placer[T]
	Starter
	Checker
	Formed
	Doubter
	doubting
	ZeroIsNull() bool // see List
}

// around returns what wrap makes of inner, with the methods for headers that inner has, and
// with those of router, unless that is nil. What inner does not have nobody must pay for.
func around[T, In any](inner Serde[In], router Router, wrap func(Serde[In]) wrapper[T]) Serde[T] {
	s := wrap(inner)
	var decoder HeaderDecoder[T]
	if _, ok := inner.(HeaderDecoder[In]); ok {
		decoder = decodeRecord[T](func(src []byte, h Headers) (T, error) { return wrap(inRecord[In]{inner, h}).Decode(src) })
	}
	var appender HeaderAppender[T]
	if _, ok := inner.(HeaderAppender[In]); ok {
		appender = appendRecord[T](func(dst []byte, v T, h Headers) ([]byte, error) { return wrap(inRecord[In]{inner, h}).Append(dst, v) })
	}
	if router == nil {
		return withHeaders(s, decoder, appender)
	}
	return routed(s, router, decoder, appender)
}

func withHeaders[T any](s wrapper[T], decoder HeaderDecoder[T], appender HeaderAppender[T]) Serde[T] {
	switch {
	case decoder == nil && appender == nil:
		return s
	case appender == nil:
		return struct {
			wrapper[T]
			HeaderDecoder[T]
		}{s, decoder}
	case decoder == nil:
		return struct {
			wrapper[T]
			HeaderAppender[T]
		}{s, appender}
	}
	return struct {
		wrapper[T]
		HeaderDecoder[T]
		HeaderAppender[T]
	}{s, decoder, appender}
}

func routed[T any](s wrapper[T], router Router, decoder HeaderDecoder[T], appender HeaderAppender[T]) Serde[T] {
	switch {
	case decoder == nil && appender == nil:
		if _, ok := s.(Router); ok {
			return s
		}
		return struct {
			wrapper[T]
			Router
		}{s, router}
	case appender == nil:
		return struct {
			wrapper[T]
			Router
			HeaderDecoder[T]
		}{s, router, decoder}
	case decoder == nil:
		return struct {
			wrapper[T]
			Router
			HeaderAppender[T]
		}{s, router, appender}
	}
	return struct {
		wrapper[T]
		Router
		HeaderDecoder[T]
		HeaderAppender[T]
	}{s, router, decoder, appender}
}

type (
	decodeRecord[T any] func(src []byte, h Headers) (T, error)
	appendRecord[T any] func(dst []byte, v T, h Headers) ([]byte, error)
)

func (f decodeRecord[T]) DecodeRecord(src []byte, h Headers) (T, error) { return f(src, h) }

func (f appendRecord[T]) AppendRecord(dst []byte, v T, h Headers) ([]byte, error) {
	return f(dst, v, h)
}

// An inRecord is a serde of one record, whose headers it holds.
type inRecord[T any] struct {
	inner   Serde[T]
	headers Headers
}

func (s inRecord[T]) Append(dst []byte, v T) ([]byte, error) {
	if a, ok := s.inner.(HeaderAppender[T]); ok {
		return a.AppendRecord(dst, v, s.headers)
	}
	return s.inner.Append(dst, v)
}

func (s inRecord[T]) Decode(src []byte) (T, error) {
	if d, ok := s.inner.(HeaderDecoder[T]); ok {
		return d.DecodeRecord(src, s.headers)
	}
	return s.inner.Decode(src)
}

func start(ctx context.Context, s any, use Use) error {
	if starter, ok := s.(Starter); ok {
		return starter.Start(ctx, use)
	}
	return nil
}

// check is Check for what is src but for the last bytes.
func check(s any, src []byte, tail int) error {
	if checker, ok := s.(Checker); ok {
		return checker.Check(src[:max(0, len(src)-tail)])
	}
	return nil
}

// doubting is a serde around one that may know nothing of forms: what is to be said then
// depends on who asks.
type doubting interface {
	doubts(form []byte, unknown bool) bool
}

// doubts is Doubts, with what is to be said of a serde that is neither Doubter nor Checker.
func doubts(s any, form []byte, unknown bool) bool {
	switch s := s.(type) {
	case doubting:
		return s.doubts(form, unknown)
	case Doubter:
		return s.Doubts(form)
	case Checker:
		return false
	}
	return unknown
}

// zeroIsNull reports whether the zero value of s is a null. One that asks others for what
// it writes knows by itself.
func zeroIsNull[T any](s Serde[T]) bool {
	if knows, ok := s.(interface{ ZeroIsNull() bool }); ok {
		return knows.ZeroIsNull()
	}
	var zero T
	b, err := s.Append(nil, zero)
	return b == nil && err == nil
}
