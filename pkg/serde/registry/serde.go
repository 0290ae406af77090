package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/pkg/serde"
)

// Options say how a serde uses the registry. The zero value is what Confluent's clients
// do by default, but for registering.
type Options struct {
	Subject  Strategy // nil: TopicName
	Register Registration
	Form     Form
}

// Serde returns a serde of what format writes, with the schema named as the registry
// knows it. It reads what was written with any schema that format can make sense of.
//
// What it has met once needs no registry. Append asks for the id of its own schema when
// it is first used in a topic, Decode for a schema when it first meets an id or GUID,
// and both wait in the caller's goroutine for as long as Config.Wait says; then they
// return an error that wraps serde.ErrUnavailable, which says nothing of the record. In
// a running topology the ids of what is written are known from the start.
//
// It is a serde.Placer: outside of a topology use serde.At to say for which topic it is,
// unless Options.Subject does without.
func (c *Client) Serde[T any](format serde.Schematic[T], o Options) serde.Serde[T] {
	if o.Subject == nil {
		o.Subject = TopicName
	}
	r := &readers[T]{client: c, format: format, schema: format.Schema()}
	r.known.Store(&map[string]reading[T]{})
	return &placed[T]{readers: r, options: o}
}

// placed is a serde where it is used.
type placed[T any] struct {
	*readers[T]
	options Options
	place   serde.Place

	mu     sync.Mutex // held while the registry is asked
	writes atomic.Pointer[writing]
}

// writing is how the schema of what is written is named.
type writing struct {
	prefix frame
	header frame // nil: the registry has no GUIDs
}

// At serves serde.Placer.
func (s *placed[T]) At(p serde.Place) serde.Serde[T] {
	out := &placed[T]{readers: s.readers, options: s.options, place: p}
	if s.options.Form == Header && !p.Internal {
		return &headed[T]{out}
	}
	return out
}

func (s *placed[T]) subject() string { return s.options.Subject(s.place, s.schema.Name) }

func (s *placed[T]) Append(dst []byte, v T) ([]byte, error) {
	w, err := s.writing()
	if err != nil {
		return dst, err
	}
	out, err := s.format.Append(append(dst, w.prefix...), v)
	if err != nil {
		return dst, err
	}
	return out, nil // nil if v is null
}

// writing returns how the schema is named, and asks for it the first time.
func (s *placed[T]) writing() (*writing, error) {
	if w := s.writes.Load(); w != nil {
		return w, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.writes.Load(); w != nil {
		return w, nil
	}
	w, err := s.resolve(s.client.ctx)
	if err == nil {
		s.writes.Store(w)
	}
	return w, err
}

// resolve asks for the id of the schema, and registers the schema if it may.
func (s *placed[T]) resolve(ctx context.Context) (*writing, error) {
	subject := s.subject()
	if subject == "" {
		return nil, s.fail(errors.New("its subject needs a topic and maybe a record's name: use serde.At, or another Strategy"))
	}
	var r registered
	err := s.client.ask(ctx, s.schema.Name, func(ctx context.Context) (err error) {
		r, err = s.client.find(ctx, subject, s.schema, s.same())
		if errors.Is(err, ErrNotRegistered) && s.options.Register.allows(s.place) {
			r, err = s.client.register(ctx, subject, s.schema)
		}
		return err
	})
	if err != nil {
		return nil, s.fail(err)
	}
	w := &writing{prefix: frameOfID(r.id, s.schema.Index)}
	if r.guid != "" {
		if w.header, err = frameOfGUID(r.guid, s.schema.Index); err != nil {
			return nil, s.fail(fmt.Errorf("its GUID: %w", err))
		}
	}
	return w, nil
}

// same compares with the format's own eye, if it has one.
func (s *placed[T]) same() func(serde.Schema) bool {
	if f, ok := s.format.(interface{ Same(serde.Schema) bool }); ok {
		return f.Same
	}
	return nil
}

func (s *placed[T]) fail(err error) error {
	return &Error{Schema: s.schema.Name, Subject: s.subject(), Registry: s.client.urls, Err: err}
}

func (s *placed[T]) Decode(src []byte) (v T, err error) {
	f, rest, err := cut(src, s.schema.Type)
	if err != nil {
		return v, s.undecodable(src, err)
	}
	r, err := s.reading(f)
	if err != nil {
		return v, s.about(err)
	}
	return r.read(rest)
}

// DecodeRecord serves serde.HeaderDecoder.
func (s *placed[T]) DecodeRecord(src []byte, h serde.Headers) (v T, err error) {
	name := headerNames[s.place.Part]
	header, ok := h.Get(name)
	if !ok || header == nil {
		return s.Decode(src)
	}
	f, rest, err := cut(header, s.schema.Type)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("it is %d bytes too long", len(rest))
	}
	if err != nil {
		return v, s.undecodable(src, fmt.Errorf("header %s: %w", name, err))
	}
	r, err := s.reading(f)
	if err != nil {
		return v, s.about(err)
	}
	if v, err = r.read(src); err == nil {
		h.Delete(name)
	}
	return v, err
}

func (s *placed[T]) undecodable(src []byte, err error) error {
	return &serde.DecodeError{Type: s.schema.Name, Want: "what a registry's serializer writes", Len: len(src), Err: err}
}

// about adds the subject to an error that knows the id only.
func (s *placed[T]) about(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Subject == "" {
		about := *e
		about.Subject = s.subject()
		return &about
	}
	return err
}

// Check serves serde.Checker: it says whether what is stored was written with a schema
// that can be read.
func (s *placed[T]) Check(src []byte) error {
	f, _, err := cut(src, s.schema.Type)
	if err != nil {
		return fmt.Errorf("%w: %w", serde.ErrUnreadable, s.undecodable(src, err))
	}
	if _, err = s.reading(f); err != nil && !errors.Is(err, serde.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", serde.ErrUnreadable, s.about(err))
	}
	return err
}

// AppendForm serves serde.Formed: the form is what names the schema.
func (s *placed[T]) AppendForm(dst, src []byte) []byte {
	f, _, err := cut(src, s.schema.Type)
	if err != nil { // then this is wrong, too
		n := idSize
		if len(src) > 0 && src[0] != magicID && src[0] != magicGUID {
			n = 1
		}
		return append(dst, src[:min(len(src), n)]...)
	}
	return append(dst, f...)
}

// Doubts serves serde.Doubter: there is none of what was written with the schema that this
// service writes, or with one of which the format says that all of it can be read. Of a
// schema that was not met yet it knows nothing: Check asks.
func (s *placed[T]) Doubts(form []byte) bool {
	f, _, err := cut(form, s.schema.Type)
	if err != nil {
		return false // Check says what is wrong
	}
	r, met := (*s.known.Load())[string(f)]
	return met && r.err == nil && !r.all
}

// ZeroIsNull serves serde.List: whether the zero value is a null the format knows.
func (s *placed[T]) ZeroIsNull() bool {
	var zero T
	b, err := s.format.Append(nil, zero)
	return b == nil && err == nil
}

// headed is a serde that names the schema in a header.
type headed[T any] struct{ *placed[T] }

// AppendRecord serves serde.HeaderAppender.
func (s *headed[T]) AppendRecord(dst []byte, v T, h serde.Headers) ([]byte, error) {
	w, err := s.writing()
	if err == nil && w.header == nil {
		err = s.fail(errNoGUID)
	}
	if err != nil {
		return dst, err
	}
	out, err := s.format.Append(dst, v)
	if err == nil && out != nil {
		h.Set(headerNames[s.place.Part], w.header)
	}
	return out, err
}

var errNoGUID = errors.New("the registry gives it no GUID, which the header form needs: use Prefix")

// readers are the decoders of one format, by the frames that were met.
type readers[T any] struct {
	client *Client
	format serde.Schematic[T]
	schema serde.Schema // that format writes

	known atomic.Pointer[map[string]reading[T]] // never changed, but replaced under mu
	mu    sync.Mutex
}

// reading is the decoder of one schema, or why there is none.
type reading[T any] struct {
	read  func(src []byte) (T, error)
	all   bool // that is written with it can be read
	err   error
	until time.Time // that err holds; the schema may appear meanwhile
}

// A schema that is not there may come: it is asked for again after a while, not for
// every record. Frames are read from topics, so that as many may come as somebody likes.
const (
	retryMissing  = 10 * time.Second
	maxUnreadable = 1000
)

// reading returns the decoder of what f names.
func (r *readers[T]) reading(f frame) (reading[T], error) {
	if k, ok := (*r.known.Load())[string(f)]; ok && (k.err == nil || time.Now().Before(k.until)) {
		return k, k.err
	}
	w, err := r.client.schema(f)
	if errors.Is(err, serde.ErrUnavailable) {
		return reading[T]{}, err
	}
	var k reading[T]
	if err == nil {
		w.Index = f.index()
		k.read, err = r.format.Reader(w)
		if err != nil {
			err = &Error{Schema: f.name(), Registry: r.client.urls, Err: fmt.Errorf("%w with what this service reads: %w", ErrIncompatible, err)}
		}
	}
	k.all = err == nil && r.readsAll(w)
	k.err, k.until = err, time.Now().Add(retryMissing)
	r.remember(string(f), k)
	return k, k.err
}

func (r *readers[T]) readsAll(w serde.Schema) bool {
	if f, ok := r.format.(serde.ReadsAller); ok {
		return f.ReadsAll(w)
	}
	f, ok := r.format.(interface{ Same(serde.Schema) bool })
	return ok && f.Same(w)
}

func (r *readers[T]) remember(key string, k reading[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := maps.Clone(*r.known.Load())
	if _, had := known[key]; k.err != nil && !had && len(known) >= maxUnreadable {
		maps.DeleteFunc(known, func(_ string, k reading[T]) bool { return k.err != nil })
	}
	known[key] = k
	r.known.Store(&known)
}
