package instance

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Tolerance is how many records policies may pass over in a time, in the whole
// process. The zero value is any number.
type Tolerance struct {
	Records int64
	Per     time.Duration
}

// ErrTooManyFailures is wrapped by the error of a process that would have passed over
// more records than it may.
var ErrTooManyFailures = errors.New("too many records have failed")

// A tolerance counts: what was passed over is forgiven bit by bit, at the rate that is
// tolerated.
type tolerance struct {
	Tolerance

	mu   sync.Mutex
	used float64
	last time.Time
}

// take counts records that were passed over, by workers before they commit that; fewer than none
// are those of a commit that came to nothing.
func (t *tolerance) take(failed int64, last error) error {
	if t.Records <= 0 || t.Per <= 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.used = max(0, t.used-float64(t.Records)*now.Sub(t.last).Seconds()/t.Per.Seconds()) + float64(failed)
	if t.last = now; t.used > float64(t.Records) {
		return fmt.Errorf("%w: more than %d within %v were skipped or dead-lettered, the last one because of: %w", ErrTooManyFailures, t.Records, t.Per, last)
	}
	return nil
}
