package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/leatstream/leat/pkg/serde"
)

// Start serves serde.Starter. What is written must be registered, or be allowed to be;
// what is read must be so in the subject's latest version, if there is one.
func (s *placed[T]) Start(ctx context.Context, use serde.Use) error {
	if format, ok := s.format.(serde.Starter); ok {
		if err := format.Start(ctx, use); err != nil {
			return err // it has no schema to ask for
		}
	}
	var err error
	if use&serde.Writes != 0 {
		if err = s.startWriting(ctx); errors.Is(err, serde.ErrUnavailable) {
			return err
		}
	}
	if use&serde.Reads != 0 {
		err = errors.Join(err, s.startReading(ctx))
	}
	return err
}

// Start serves serde.Starter.
func (s *headed[T]) Start(ctx context.Context, use serde.Use) error {
	err := s.placed.Start(ctx, use)
	if w := s.writes.Load(); w != nil && w.header == nil {
		err = errors.Join(err, s.fail(errNoGUID))
	}
	return err
}

func (s *placed[T]) startWriting(ctx context.Context) error {
	w, err := s.resolve(ctx)
	if err == nil {
		s.writes.Store(w)
		return nil
	}
	if errors.Is(err, serde.ErrUnavailable) || s.subject() == "" {
		return err
	}
	return fmt.Errorf("%w%s", err, s.explain(ctx))
}

// explain says how the schema and the latest version of its subject differ, and what to
// do. The service cannot start: nobody is kept waiting by a few more questions.
func (s *placed[T]) explain(ctx context.Context) string {
	subject := s.subject()
	cure := fmt.Sprintf("; register it, or let the service do it: Options.Register, in a configuration file registry.register, is %q", s.options.Register)
	latest, r, ok, err := s.client.latest(ctx, subject)
	switch {
	case err != nil:
		return cure + fmt.Sprintf("; what the subject has cannot be fetched: %v", err)
	case !ok:
		return cure + "; there is no such subject"
	}
	var b strings.Builder
	b.WriteString(cure)
	if refs, err := s.client.references(ctx, s.schema, find); err == nil {
		if c, err := s.client.sr.CheckCompatibility(verbose(ctx), subject, -1, wire(s.schema, refs)); err == nil && !c.Is {
			fmt.Fprintf(&b, "; the registry would refuse it: %s", strings.Join(c.Messages, "; "))
		}
	}
	fmt.Fprintf(&b, "; the difference from version %d, id %d:\n%s", r.version, r.id, difference(latest, s.schema))
	return b.String()
}

func (s *placed[T]) startReading(ctx context.Context) error {
	subject := s.subject()
	if subject == "" {
		return nil // whatever comes has its id
	}
	var latest serde.Schema
	var r registered
	var ok bool
	err := s.client.ask(ctx, s.schema.Name, func(ctx context.Context) (err error) {
		latest, r, ok, err = s.client.latest(ctx, subject)
		return err
	})
	if err != nil {
		return s.fail(err)
	}
	if !ok {
		return nil // nobody writes yet
	}
	if _, err := s.format.Reader(latest); err != nil {
		return s.fail(fmt.Errorf("%w with version %d, id %d, of which there are records or will be: %w; the difference:\n%s",
			ErrIncompatible, r.version, r.id, err, difference(latest, s.schema)))
	}
	return nil
}
