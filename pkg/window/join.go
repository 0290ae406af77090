package window

import (
	"fmt"
	"math"
	"time"
)

// Join says how far apart in time two records may be that are joined: the one on the
// right from Before earlier to After later than the one on the left, both inclusive.
type Join struct {
	before, after, grace int64
}

// Within joins records that are at most d apart.
func Within(d time.Duration) Join {
	return Join{before: d.Milliseconds(), after: d.Milliseconds()}
}

// Before returns a copy of w in which the right record may be d earlier, and no more.
// If d is negative, it must be later by so much.
func (w Join) Before(d time.Duration) Join {
	w.before = d.Milliseconds()
	return w
}

// After returns a copy of w in which the right record may be d later, and no more. If
// d is negative, it must be earlier by so much.
func (w Join) After(d time.Duration) Join {
	w.after = d.Milliseconds()
	return w
}

// Grace returns a copy of w that waits d for records out of order: so much longer
// records are kept, and so much later an outer join gives up on finding a partner. The
// default is 0.
func (w Join) Grace(d time.Duration) Join {
	w.grace = d.Milliseconds()
	return w
}

// Reach is how much earlier and later, in ms, the right record may be.
func (w Join) Reach() (before, after int64) { return w.before, w.after }

// Size is how far apart, in ms, the first and the last record are that one may join.
func (w Join) Size() int64 { return w.before + w.after }

// GracePeriod is how long records out of order are waited for, in ms.
func (w Join) GracePeriod() int64 { return w.grace }

// Validate says what is wrong with the definition, if anything is.
func (w Join) Validate() error {
	const most = math.MaxInt64 / 4
	switch {
	case max(w.before, w.after, w.grace) > most:
		return fmt.Errorf("a join over %d ms before, %d ms after and %d ms of grace: no time is so long", w.before, w.after, w.grace)
	case w.before+w.after < 0:
		return fmt.Errorf("a join from %d ms before to %d ms after joins nothing: it ends before it begins", w.before, w.after)
	case w.grace < 0:
		return fmt.Errorf("a grace period of %d ms is negative", w.grace)
	}
	return nil
}
