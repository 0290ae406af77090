package worker

import (
	"sync"
	"time"
)

// A Share is what a worker spends its time with.
type Share int8

const (
	Idle    Share = iota // waits for records
	Busy                 // processes
	Blocked              // waits for brokers
	numShares
)

// shares adds up what time is spent with. The worker says what it does now; anybody
// may read.
type shares struct {
	mu struct {
		sync.Mutex
		spent [numShares]time.Duration
		now   Share
		since time.Time
	}
}

// enter says what the worker does from now on, and returns what it did before.
func (s *shares) enter(to Share) (from Share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.mu.since.IsZero() {
		s.mu.spent[s.mu.now] += now.Sub(s.mu.since)
	}
	from, s.mu.now, s.mu.since = s.mu.now, to, now
	return from
}

// read returns the sums up to now, what the worker does, and for how long it has.
func (s *shares) read() (spent [numShares]time.Duration, now Share, lasts time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	spent = s.mu.spent
	if !s.mu.since.IsZero() {
		lasts = time.Since(s.mu.since)
		spent[s.mu.now] += lasts
	}
	return spent, s.mu.now, lasts
}

// busy reports whether the worker processes now.
func (s *shares) busy() bool {
	_, now, _ := s.read()
	return now == Busy
}

// blocked says that the worker waits for brokers until the returned function is
// called.
func (w *Worker) blocked() func() {
	before := w.shares.enter(Blocked)
	return func() { w.shares.enter(before) }
}

// Spent is what the worker has spent its time with. It may be called from any
// goroutine.
func (w *Worker) Spent() (idle, busy, blocked time.Duration) {
	spent, _, _ := w.shares.read()
	return spent[Idle], spent[Busy], spent[Blocked]
}
