package fetch

import (
	"sync"
	"time"
)

// An Inbox holds the batches that wait for one receiver. It never makes the fetcher
// wait: what it may hold is bounded by the limits of the feeds, which are paused
// beyond them, so that a slow receiver stands in nobody else's way.
type Inbox struct {
	some chan struct{} // holds a token while there may be batches

	mu      sync.Mutex
	batches []Batch
	taken   time.Time // last
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox { return &Inbox{some: make(chan struct{}, 1), taken: time.Now()} }

// Put adds a batch. It never blocks.
func (in *Inbox) Put(b Batch) {
	in.mu.Lock()
	in.batches = append(in.batches, b)
	in.mu.Unlock()
	in.Wake()
}

// Wake makes Some readable.
func (in *Inbox) Wake() {
	select {
	case in.some <- struct{}{}:
	default:
	}
}

// Some is readable when there may be batches to take.
func (in *Inbox) Some() <-chan struct{} { return in.some }

// Take returns the batches that wait, in the order they came, and forgets them. It
// never blocks.
func (in *Inbox) Take() []Batch {
	in.mu.Lock()
	defer in.mu.Unlock()
	batches := in.batches
	in.batches, in.taken = nil, time.Now()
	return batches
}

// Taken is when Take was last called.
func (in *Inbox) Taken() time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.taken
}

// Empty reports whether nothing waits.
func (in *Inbox) Empty() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.batches) == 0
}
