package serde

import "context"

// Pointer returns the serde of pointers to what s encodes. A nil pointer is null.
func Pointer[T any](s Serde[T]) Serde[*T] {
	router, _ := s.(Router)
	return around(s, router, func(s Serde[T]) wrapper[*T] { return pointerSerde[T]{s} })
}

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

// At serves Placer.
func (s pointerSerde[T]) At(p Place) Serde[*T] { return Pointer(At(s.inner, p)) }

// Start serves Starter.
func (s pointerSerde[T]) Start(ctx context.Context, use Use) error { return start(ctx, s.inner, use) }

// Check serves Checker.
func (s pointerSerde[T]) Check(src []byte) error { return check(s.inner, src, 0) }

// AppendForm serves Formed.
func (s pointerSerde[T]) AppendForm(dst, src []byte) []byte { return AppendForm(s.inner, dst, src) }

// Doubts serves Doubter.
func (s pointerSerde[T]) Doubts(form []byte) bool { return s.doubts(form, true) }

func (s pointerSerde[T]) doubts(form []byte, unknown bool) bool {
	return doubts(s.inner, form, unknown)
}

// ZeroIsNull serves List.
func (pointerSerde[T]) ZeroIsNull() bool { return true }

func (s pointerSerde[T]) readsAny() bool { return ReadsAny(s.inner) }

func (s pointerSerde[T]) fixedSize() int {
	if f, ok := s.inner.(fixedSize); ok {
		return f.fixedSize()
	}
	return 0
}
