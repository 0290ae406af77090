// Package sim runs many processes against one simulated Kafka, in one thread of
// control, so that a history is a function of its seed. It knows nothing of tasks: it
// has a scheduler, a network and a broker.
//
// What would be a goroutine is a Thread: a coroutine that gives up control where it
// asks the broker, or waits, and nowhere else. At each step the seed decides what
// happens next: a thread goes on, a request reaches the broker, an answer the client,
// a marker its partition, time passes, or something breaks. Everything that is under
// way at once can happen in any order.
//
// It is to run in a bubble of testing/synctest: then time is the simulator's, too, for
// the code under test as well.
package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// A Sim is one history.
type Sim struct {
	Broker  *Broker
	Rand    *rand.Rand
	Faults  int                                   // how many may still happen
	Frailty int                                   // one message in so many is lost or late
	Trace   func(format string, a ...any)         // is told what happens; nil: nobody listens
	Settle  func()                                // waits until every timer that is due has fired
	Extra   func(add func(weight int, do func())) // what else may happen
	Moments func(sooner func(time.Time))          // when else the clock makes something happen

	threads  []*Thread
	messages []*message
	current  *Thread
	ending   bool // the next message ends a transaction
	start    time.Time
	steps    int
	choices  []choice
	failure  error
}

// New begins a history.
func New(seed uint64, faults int) *Sim {
	s := &Sim{Rand: rand.New(rand.NewPCG(seed, 0)), Faults: faults, Frailty: 25, start: time.Now(), Settle: func() {}}
	s.Broker = newBroker(s)
	return s
}

// Fail ends the history: it has shown something that must not be. The first one counts.
func (s *Sim) Fail(format string, a ...any) {
	if s.failure == nil {
		s.failure = fmt.Errorf(format, a...)
		s.Log("WRONG: %v", s.failure)
	}
}

// Steps is how many steps the history has had.
func (s *Sim) Steps() int { return s.steps }

// Log tells who listens what happens.
func (s *Sim) Log(format string, a ...any) {
	if s.Trace != nil {
		s.Trace("%5d %8.3fs  %s", s.steps, time.Since(s.start).Seconds(), fmt.Sprintf(format, a...))
	}
}

// text is what a message is called, if somebody listens.
func (s *Sim) text(format string, a ...any) string {
	if s.Trace == nil {
		return ""
	}
	return fmt.Sprintf(format, a...)
}

// Fault reports whether a fault with a chance of one in n happens now.
func (s *Sim) Fault(n int) bool {
	if s.Faults <= 0 || s.Rand.IntN(max(n, 1)) > 0 {
		return false
	}
	s.Faults--
	return true
}

// A Host is what crashes and stalls as one: a process.
type Host struct {
	Name   string
	Dead   bool // for good: its successor is another host
	Paused bool // it gets no processor time; what it has sent is under way all the same
}

// Kill ends all threads of the host. What it has sent may still arrive.
func (s *Sim) Kill(h *Host) {
	h.Dead = true
	for _, th := range s.threads {
		if th.host == h && th != s.current {
			th.stop()
			th.done = true
		}
	}
}

// A Thread is what would be a goroutine.
type Thread struct {
	s     *Sim
	host  *Host
	name  string
	yield func(struct{}) bool
	next  func() (struct{}, bool)
	stop  func()
	ready func() bool // nil: it can go on
	until time.Time   // when it goes on in any case; zero: never
	done  bool
}

// errKilled unwinds a thread whose host was killed.
var errKilled = errors.New("killed")

// Go starts a thread of the host.
func (s *Sim) Go(h *Host, name string, fn func()) {
	th := &Thread{s: s, host: h, name: h.Name + " " + name}
	th.next, th.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil && r != errKilled { //nolint:errorlint // it is the very value
				panic(r)
			}
		}()
		th.yield = yield
		fn()
	})
	s.threads = append(s.threads, th)
}

// Wait lets others go on until ready says so. It returns the cause of ctx if that ends
// before.
func (s *Sim) Wait(ctx context.Context, ready func() bool) error {
	deadline, _ := ctx.Deadline()
	for !ready() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.park(deadline, func() bool { return ready() || ctx.Err() != nil })
	}
	return nil
}

// Sleep waits for d, or until ctx ends.
func (s *Sim) Sleep(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	s.park(end, func() bool { return ctx.Err() != nil })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Until waits for ready, but no longer than until the given time; zero is for ever.
func (s *Sim) Until(at time.Time, ready func() bool) { s.park(at, ready) }

// Yield lets others go on.
func (s *Sim) Yield() { s.park(time.Time{}, func() bool { return true }) }

func (s *Sim) park(until time.Time, ready func() bool) {
	th := s.current
	if th == nil || th.host.Dead {
		panic(errKilled) // in a deferred call of a thread that is being unwound, or of one that has killed its own host
	}
	th.until, th.ready = until, ready
	if !th.yield(struct{}{}) {
		panic(errKilled)
	}
}

func (th *Thread) runnable(now time.Time) bool {
	if th.done || th.host.Dead || th.host.Paused {
		return false
	}
	return th.ready == nil || th.ready() || !th.until.IsZero() && !now.Before(th.until)
}

func (s *Sim) resume(th *Thread) {
	s.current = th
	_, more := th.next()
	s.current = nil
	if !more || th.host.Dead {
		th.stop()
		th.done = true
	}
}

// Close ends all threads.
func (s *Sim) Close() {
	for _, th := range s.threads {
		th.host.Dead = true
		th.stop()
	}
	s.threads = nil
}
