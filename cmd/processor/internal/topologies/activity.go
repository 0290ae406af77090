package topologies

import (
	"cmp"
	"slices"
	"time"
)

// Payments are added up by steps, so that a card's state has a bound. A span is
// the step in hand and the 59 before it.
const (
	span = 10 * time.Minute
	step = 10 * time.Second
)

// memory is how long a card is remembered that is not used. It is longer than a
// span so that payments of that card may come out of order.
const memory = time.Hour

// activity is what a card was used for in the last span.
type activity struct {
	Steps   []spent `json:"steps"` // ascending; none is empty
	Alerted bool    `json:"alerted,omitzero"`
}

// spent is what was paid in one step.
type spent struct {
	Start    int64 `json:"start"` // ms
	Payments int64 `json:"payments"`
	Cents    int64 `json:"cents"`
}

// stepOf is the start, in ms, of the step that holds t.
func stepOf(t time.Time) int64 {
	ms := t.UnixMilli()
	return ms - ms%step.Milliseconds()
}

// expire forgets what is no part of the span that ends with the step of now, or
// with the card's last step, if that is later.
func (a *activity) expire(now time.Time) {
	last := stepOf(now)
	if n := len(a.Steps); n > 0 {
		last = max(last, a.Steps[n-1].Start)
	}
	a.Steps = slices.DeleteFunc(a.Steps, func(s spent) bool { return s.Start <= last-span.Milliseconds() })
}

// add counts a payment in. One that is older than the span is left out: it has no
// part in what the card does now.
func (a *activity) add(at time.Time, cents int64) {
	start := stepOf(at)
	i, found := slices.BinarySearchFunc(a.Steps, start, func(s spent, at int64) int { return cmp.Compare(s.Start, at) })
	if !found {
		a.Steps = slices.Insert(a.Steps, i, spent{Start: start})
	}
	a.Steps[i].Payments++
	a.Steps[i].Cents += cents
	a.expire(at)
}

// idle reports whether the card may be forgotten.
func (a *activity) idle(now time.Time) bool {
	return len(a.Steps) == 0 || a.Steps[len(a.Steps)-1].Start <= now.Add(-memory).UnixMilli()
}

// total adds up the span.
func (a *activity) total() (t spent) {
	for i, s := range a.Steps {
		if i == 0 {
			t.Start = s.Start
		}
		t.Payments += s.Payments
		t.Cents += s.Cents
	}
	return t
}

// broken returns the rule that the span breaks, if any.
func (l Limit) broken(t spent) (rule string, broken bool) {
	switch {
	case t.Payments > l.Payments:
		return "payments", true
	case t.Cents > l.Cents:
		return "amount", true
	}
	return "", false
}
