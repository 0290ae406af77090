package topology

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
)

// placed returns a copy of t whose serdes know where they are used: in the topic that
// has that name in Kafka.
func (t Topic[K, V]) placed(topic string, internal bool) Topic[K, V] {
	if t.key == nil || t.value == nil {
		return t // Build says so
	}
	t.key = serde.At(t.key, serde.Place{Topic: topic, Part: serde.Key, Internal: internal})
	t.value = serde.At(t.value, serde.Place{Topic: topic, Part: serde.Value, Internal: internal})
	if t.router = nil; !internal { // as in Kafka Streams, whose repartition topics hash the whole key
		t.router, _ = t.key.(serde.Router)
	}
	h := headed[K, V]{}
	h.decodeKey, _ = t.key.(serde.HeaderDecoder[K])
	h.decodeValue, _ = t.value.(serde.HeaderDecoder[V])
	h.appendKey, _ = t.key.(serde.HeaderAppender[K])
	h.appendValue, _ = t.value.(serde.HeaderAppender[V])
	t.headed = nil
	if h != (headed[K, V]{}) {
		t.headed = &h
	}
	return t
}

// headed is what of a topic's serdes wants the headers. What does not is nil.
type headed[K, V any] struct {
	decodeKey   serde.HeaderDecoder[K]
	decodeValue serde.HeaderDecoder[V]
	appendKey   serde.HeaderAppender[K]
	appendValue serde.HeaderAppender[V]
}

// decode is Topic.Decode with what the headers say. It returns what is left of them.
func (t *Topic[K, V]) decode(key, value []byte, headers []Header) (Record[K, V], error) {
	if t.headed == nil || len(headers) == 0 {
		r, err := t.decodeBytes(key, value)
		r.Headers = headers
		return r, err
	}
	h, seen := t.headed, &headerSet{list: headers}
	out := *t
	if h.decodeKey != nil {
		out.key = fromRecord[K]{h.decodeKey, seen}
	}
	if h.decodeValue != nil {
		out.value = fromRecord[V]{h.decodeValue, seen}
	}
	r, err := out.decodeBytes(key, value)
	r.Headers = seen.list
	return r, err
}

// withHeaders returns a copy of t that encodes into headers, and those.
func (t *Topic[K, V]) withHeaders(headers []Header) (Topic[K, V], *headerSet) {
	out, set := *t, &headerSet{list: headers}
	if a := t.headed.appendKey; a != nil {
		out.key = toRecord[K]{a, set}
	}
	if a := t.headed.appendValue; a != nil {
		out.value = toRecord[V]{a, set}
	}
	out.headed = nil
	return out, set
}

// appends reports whether a serde of t writes headers.
func (t *Topic[K, V]) appends() bool {
	return t.headed != nil && (t.headed.appendKey != nil || t.headed.appendValue != nil)
}

// fromRecord and toRecord are serdes of one record, whose headers they hold.
type fromRecord[T any] struct {
	decoder serde.HeaderDecoder[T]
	headers *headerSet
}

func (s fromRecord[T]) Decode(src []byte) (T, error)               { return s.decoder.DecodeRecord(src, s.headers) }
func (s fromRecord[T]) Append(dst []byte, _ T) (_ []byte, _ error) { return dst, errors.ErrUnsupported }

type toRecord[T any] struct {
	appender serde.HeaderAppender[T]
	headers  *headerSet
}

func (s toRecord[T]) Decode([]byte) (v T, err error) { return v, errors.ErrUnsupported }
func (s toRecord[T]) Append(dst []byte, v T) ([]byte, error) {
	return s.appender.AppendRecord(dst, v, s.headers)
}

// A headerSet is the headers of one record. The list that it was made of stays as it is.
type headerSet struct {
	list []Header
	own  bool // list may be changed
}

func (h *headerSet) Get(key string) (value []byte, ok bool) {
	for _, header := range slices.Backward(h.list) {
		if header.Key == key {
			return header.Value, true
		}
	}
	return nil, false
}

func (h *headerSet) Set(key string, value []byte) {
	h.Delete(key)
	h.list = append(h.copied(), Header{Key: key, Value: value})
}

func (h *headerSet) Delete(key string) {
	if _, ok := h.Get(key); ok {
		h.list = slices.DeleteFunc(h.copied(), func(header Header) bool { return header.Key == key })
	}
}

func (h *headerSet) copied() []Header {
	if !h.own {
		h.list, h.own = append(make([]Header, 0, len(h.list)+1), h.list...), true
	}
	return h.list
}

// check has the serdes that bind returns checked before the first record.
func (b *Builder) check(where string, use serde.Use, bind func(app string) []any) {
	b.checks = append(b.checks, func(ctx context.Context, app string) error {
		return at(where, serde.Start(ctx, use, bind(app)...))
	})
}

// all makes one of several checks. When something is unavailable nothing more is asked:
// what does not answer one does not answer the next, and each would wait for it in turn.
func all(checks []task.Check) task.Check {
	return func(ctx context.Context, app string) (err error) {
		for _, check := range checks {
			err = errors.Join(err, check(ctx, app))
			if errors.Is(err, serde.ErrUnavailable) {
				break
			}
		}
		return err
	}
}

// at says of an error, or of each of several, where it is.
func at(where string, err error) error {
	if err == nil {
		return nil
	}
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s: %w", where, err)
	}
	var errs []error
	for _, err := range several.Unwrap() {
		errs = append(errs, at(where, err))
	}
	return errors.Join(errs...)
}

// check has the serdes of a topic checked.
func (t Topic[K, V]) check(b *Builder, name task.Topic, use serde.Use) {
	b.check("topic "+t.name, use, func(app string) []any {
		p := t.placed(name.Resolve(app), name.Internal)
		return []any{p.key, p.value}
	})
}

// storeChecks are those of every store's serdes.
func (b *Builder) storeChecks() (checks []task.Check) {
	for _, name := range slices.Sorted(maps.Keys(b.specs)) {
		serdes, st := b.specs[name].Serdes, task.Store{Name: name, Logged: true, Source: b.backed[name].Topic}
		checks = append(checks, func(ctx context.Context, app string) error {
			return at("store "+name, serdes.Start(ctx, st.Restored(app)))
		})
	}
	return checks
}

// internalAt returns s for an internal topic.
func internalAt[T any](s serde.Serde[T], topic string, part serde.Part) serde.Serde[T] {
	return serde.At(s, serde.Place{Topic: topic, Part: part, Internal: true})
}
