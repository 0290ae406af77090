// Package window holds the windows of event time that records are gathered in, and
// their arithmetic. It is pure: it knows no records, stores or clocks.
//
// All times are milliseconds since the Unix epoch, as in Kafka.
package window

import (
	"fmt"
	"math"
	"time"
)

// A Span is a window: the times from Start to End. Whether End belongs to it is a
// matter of the kind of windows: it does in sliding and session windows.
type Span struct {
	Start, End int64 // ms
}

// StartTime is Start as a time.
func (s Span) StartTime() time.Time { return time.UnixMilli(s.Start).UTC() }

// EndTime is End as a time.
func (s Span) EndTime() time.Time { return time.UnixMilli(s.End).UTC() }

// String returns start/end, in ms.
func (s Span) String() string { return fmt.Sprintf("%d/%d", s.Start, s.End) }

// Windowed is a key within a window. It is the key of what a windowed aggregation
// gives.
type Windowed[K any] struct {
	Key K
	Span
}

// String returns key@start/end, as Kafka Streams' examples print it.
func (w Windowed[K]) String() string { return fmt.Sprintf("%v@%v", w.Key, w.Span) }

// Windows are the ways to lay windows over time that are known before any record is:
// Time and Sliding.
type Windows interface {
	// Size is how long a window is, in ms.
	Size() int64
	// GracePeriod is how long after its end a window still takes records, in ms.
	GracePeriod() int64
	// Validate says what is wrong with the definition, if anything is.
	Validate() error
	sealed()
}

// Time is windows of one size that begin at regular times, counted from the epoch.
// They hold their start, not their end.
type Time struct {
	size, advance, grace int64
	origin               int64
}

// Tumbling windows follow each other without a gap and without overlap.
func Tumbling(size time.Duration) Time { return Hopping(size, size) }

// Hopping windows begin every advance, and overlap if size is more than that.
func Hopping(size, advance time.Duration) Time {
	return Time{size: size.Milliseconds(), advance: advance.Milliseconds()}
}

// Unlimited is a single window, from start on, that never ends.
func Unlimited(start time.Time) Time {
	return Time{size: math.MaxInt64, advance: math.MaxInt64, origin: start.UnixMilli()}
}

// Grace returns a copy of w whose windows take records for d after stream time has
// passed their end. The default is 0: a record that is late at all is dropped.
func (w Time) Grace(d time.Duration) Time {
	w.grace = d.Milliseconds()
	return w
}

// Size implements Windows.
func (w Time) Size() int64 { return w.size }

// GracePeriod implements Windows.
func (w Time) GracePeriod() int64 { return w.grace }

// Endless reports whether the window never ends.
func (w Time) Endless() bool { return w.size == math.MaxInt64 }

// Validate implements Windows.
func (w Time) Validate() error {
	switch {
	case w.size < 1:
		return fmt.Errorf("a window's size of %d ms is less than 1 ms", w.size)
	case w.advance < 1 || w.advance > w.size:
		return fmt.Errorf("windows of %d ms cannot advance by %d ms: records would fall between them, or for ever into new ones", w.size, w.advance)
	case w.grace < 0:
		return fmt.Errorf("a grace period of %d ms is negative", w.grace)
	case w.origin < 0:
		return fmt.Errorf("a window that starts at %d ms, before the epoch", w.origin)
	case w.Endless() && w.grace > 0:
		return fmt.Errorf("a window that never ends has no grace period")
	}
	return nil
}

// First returns the start of the first window that holds t; ok is false if none
// does. The others follow with Next.
func (w Time) First(t int64) (start int64, ok bool) {
	if w.Endless() {
		return w.origin, t >= w.origin
	}
	return max(0, t-w.size+w.advance) / w.advance * w.advance, t >= 0
}

// Next returns the start of the window after the one at start that holds t; ok is
// false if there is none.
func (w Time) Next(start, t int64) (next int64, ok bool) {
	if w.Endless() {
		return 0, false
	}
	return start + w.advance, start <= t-w.advance // start+w.advance may overflow
}

// At is the window that begins at start.
func (w Time) At(start int64) Span {
	if start > math.MaxInt64-w.size {
		return Span{start, math.MaxInt64}
	}
	return Span{start, start + w.size}
}

func (Time) sealed() {}

// Sliding windows hold all records of a key that are no further apart than a time
// difference. They lie where records lie: one ends at each record, and one begins
// just behind each, if there is anything in it. They hold both their ends (KIP-450).
type Sliding struct {
	difference, grace int64
}

// SlidingBy returns the windows for a greatest time difference.
func SlidingBy(difference time.Duration) Sliding {
	return Sliding{difference: difference.Milliseconds()}
}

// Grace returns a copy of w whose windows take records for d after stream time has
// passed their end. The default is 0.
func (w Sliding) Grace(d time.Duration) Sliding {
	w.grace = d.Milliseconds()
	return w
}

// Size implements Windows: it is the time difference.
func (w Sliding) Size() int64 { return w.difference }

// GracePeriod implements Windows.
func (w Sliding) GracePeriod() int64 { return w.grace }

// Validate implements Windows.
func (w Sliding) Validate() error {
	if w.difference < 0 || w.grace < 0 {
		return fmt.Errorf("a time difference of %d ms and a grace period of %d ms: neither may be negative", w.difference, w.grace)
	}
	return nil
}

func (Sliding) sealed() {}

// Session windows gather the records of a key between which no gap is longer than
// an inactivity gap. A record may join two sessions into one. They hold both their
// ends.
type Session struct {
	gap, grace int64
}

// Sessions returns the session windows that an inactivity gap parts.
func Sessions(gap time.Duration) Session { return Session{gap: gap.Milliseconds()} }

// Grace returns a copy of w whose sessions take records for d after stream time has
// passed their end and the gap. The default is 0.
func (w Session) Grace(d time.Duration) Session {
	w.grace = d.Milliseconds()
	return w
}

// Gap is the inactivity gap, in ms.
func (w Session) Gap() int64 { return w.gap }

// GracePeriod is how long after its end and the gap a session still takes records,
// in ms.
func (w Session) GracePeriod() int64 { return w.grace }

// Validate says what is wrong with the definition, if anything is.
func (w Session) Validate() error {
	if w.gap < 0 || w.grace < 0 {
		return fmt.Errorf("an inactivity gap of %d ms and a grace period of %d ms: neither may be negative", w.gap, w.grace)
	}
	return nil
}
