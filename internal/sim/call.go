package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A reply answers a request. It may be called at once or later, once.
type reply[T any] func(T, error)

// call sends a request from the current thread, and waits for the answer.
func call[T any](ctx context.Context, s *Sim, name string, fn func(reply[T])) (T, error) {
	var got, out T
	var gotErr, err error
	done := false
	m := &message{host: s.current.host, name: name, fragile: true, ends: s.ending}
	m.deliver = func(m *message) {
		fn(func(v T, err error) {
			got, gotErr, m.answered = v, err, true
			if s.Trace != nil {
				s.Log("        %s: %s is answered with %s", m.host.Name, m.name, brief(v, err))
			}
		})
	}
	m.answer = func(lost error) {
		if done = true; lost != nil {
			err = lost
			return
		}
		out, err = got, gotErr
	}
	s.ending = false
	s.send(m)
	if cause := s.Wait(ctx, func() bool { return done }); cause != nil {
		m.deserted = true
		return out, cause
	}
	return out, err
}

func brief(v any, err error) string {
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("%v", v)
	return text[:min(len(text), 150)]
}

// now makes a request that is answered at once of fn.
func now[T any](fn func() (T, error)) func(reply[T]) {
	return func(r reply[T]) { r(fn()) }
}

// retried calls until the answer is not one that passes by itself.
func retried[T any](ctx context.Context, s *Sim, name string, fn func() (T, error)) (T, error) {
	for {
		v, err := call(ctx, s, name, now(fn))
		if ctx.Err() != nil {
			return v, context.Cause(ctx)
		}
		if err == nil || !passes(err) {
			return v, err
		}
		if cause := s.Sleep(ctx, 50*time.Millisecond); cause != nil {
			return v, cause
		}
	}
}

// passes reports whether an error passes by itself.
func passes(err error) bool {
	return errors.Is(err, errLost) || errors.Is(err, kerr.ConcurrentTransactions) || errors.Is(err, kerr.UnstableOffsetCommit)
}
