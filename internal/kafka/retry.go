package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	minBackoff = 25 * time.Millisecond
	maxBackoff = time.Second

	// unknownPatience is how long a topic may be unknown before that is
	// believed: brokers learn of a new topic one after the other.
	unknownPatience = 10 * time.Second
)

// Backoff is how long to wait after so many failures in a row: nothing after
// none, then 25 ms, doubling up to a second.
func Backoff(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	return min(minBackoff<<min(failures-1, 10), maxBackoff)
}

// Sleep waits for d. If ctx ends before, it returns the cause.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// retry calls f until it succeeds, fails with an error that is not to be tried
// again, or ctx ends; then the error wraps the cause and f's last one.
func retry(ctx context.Context, again func(error) bool, f func() error) error {
	for failures := 1; ; failures++ {
		err := f()
		if err == nil || !again(err) {
			return err
		}
		if cause := Sleep(ctx, Backoff(failures)); cause != nil {
			return fmt.Errorf("%w: %w", cause, err)
		}
	}
}

// patient is transient for requests about topics: that a topic is unknown is
// not believed at once, but it is not doubted for ever either.
func patient() func(error) bool {
	start := time.Now()
	return func(err error) bool {
		if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) {
			return time.Since(start) < unknownPatience
		}
		return transient(err)
	}
}
