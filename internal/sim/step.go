package sim

import (
	"fmt"
	"slices"
	"time"
)

// A choice is something that may happen in a step.
type choice struct {
	weight int
	do     func()
	thread *Thread
	msg    *message
}

// slow reports whether a moment comes although something could still happen before it:
// whatever can happen now is that slow. So slow that somebody misses it is a fault.
func (s *Sim) slow(next time.Time) bool {
	const usual, early = 300 * time.Millisecond, 15 * time.Second
	switch d := time.Until(next); {
	case d < usual:
		return s.Rand.IntN(40) == 0
	case d < early && s.Fault(100):
		s.Log("FAULT everything is slow")
		return true
	}
	return false
}

// Run lets the history go on until done says so. The error is what went wrong, be it
// only that it does not come to its end within so many steps.
func (s *Sim) Run(limit int, done func() bool) error {
	for s.failure == nil && !done() {
		if s.steps++; s.steps > limit {
			s.Fail("no end after %d steps", limit)
		} else if !s.step() {
			s.Fail("nothing can happen any more")
		}
	}
	return s.failure
}

func (s *Sim) step() bool {
	s.threads = slices.DeleteFunc(s.threads, func(th *Thread) bool { return th.done })
	s.messages = slices.DeleteFunc(s.messages, func(m *message) bool { return m.over })
	s.gather()
	total := 0
	for _, c := range s.choices {
		total += c.weight
	}
	next, any := s.nextMoment()
	switch {
	case total == 0 && !any:
		return false
	case total == 0, any && s.slow(next):
		s.pass(next)
		return true
	}
	at := s.Rand.IntN(total)
	for _, c := range s.choices {
		if at -= c.weight; at < 0 {
			s.take(c)
			break
		}
	}
	return true
}

// gather lists what may happen now.
func (s *Sim) gather() {
	now := time.Now()
	s.choices = s.choices[:0]
	for _, th := range s.threads {
		if th.runnable(now) {
			s.choices = append(s.choices, choice{weight: 4, thread: th})
		}
	}
	for _, m := range s.messages {
		if m.moves() {
			s.choices = append(s.choices, choice{weight: m.weight(), msg: m})
		}
	}
	add := func(weight int, do func()) { s.choices = append(s.choices, choice{weight: weight, do: do}) }
	s.Broker.choices(add)
	if s.Extra != nil {
		s.Extra(add)
	}
}

func (s *Sim) take(c choice) {
	switch {
	case c.thread != nil:
		if s.Trace != nil {
			s.Log("%s goes on", c.thread.name)
		}
		s.resume(c.thread)
	case c.msg != nil:
		s.move(c.msg)
	default:
		c.do()
	}
}

// nextMoment is when the clock makes something happen.
func (s *Sim) nextMoment() (at time.Time, any bool) {
	now := time.Now()
	sooner := func(t time.Time) {
		if t.After(now) && (!any || t.Before(at)) {
			at, any = t, true
		}
	}
	for _, th := range s.threads {
		if !th.done && !th.host.Dead && !th.host.Paused {
			sooner(th.until)
		}
	}
	s.Broker.moments(sooner)
	if s.Moments != nil {
		s.Moments(sooner)
	}
	return at, any
}

func (s *Sim) pass(until time.Time) {
	d := time.Until(until)
	s.Log("%v pass", d)
	time.Sleep(d)
	s.Settle()
}

// A message is a request and its answer.
type message struct {
	host *Host
	name string

	deliver func(m *message)
	answer  func(lost error) // at the client
	fragile bool             // it may get lost
	ends    bool             // it ends a transaction

	arrived  bool // at the broker
	answered bool // by the broker
	deserted bool // the client does not wait for the answer
	over     bool
}

// moves reports whether something can happen to the message.
func (m *message) moves() bool {
	if !m.arrived {
		return true
	}
	return m.answered && (m.deserted || m.host.Dead || !m.host.Paused)
}

// weight is how soon a message moves. What nobody waits for takes its time.
func (m *message) weight() int {
	if m.deserted || m.host.Dead {
		return 1
	}
	return 6
}

// weighty is how much likelier than others the answer is to get lost: who does not know
// what has become of a transaction has most to lose.
func (m *message) weighty() int {
	if m.ends {
		return 4
	}
	return 1
}

// errLost is what a client makes of an answer that does not come: it is not known
// whether the request got there.
var errLost = fmt.Errorf("connection lost")

func (s *Sim) send(m *message) {
	s.messages = append(s.messages, m)
}

// move takes a message one step further, or breaks it.
func (s *Sim) move(m *message) {
	switch {
	case m.arrived:
		s.bringBack(m)
	case m.host.Dead && s.Rand.IntN(2) == 0:
		s.Log("%s: %s gets lost, and nobody misses it", m.host.Name, m.name)
		m.over = true
	case !m.fragile || !s.Fault(s.Frailty):
		s.arrive(m)
	case s.Rand.IntN(2) == 0:
		s.Log("FAULT %s: %s gets lost", m.host.Name, m.name)
		m.over = true
		m.answer(errLost)
	default:
		s.Log("FAULT %s: %s is late, and given up", m.host.Name, m.name)
		m.deserted = true
		m.answer(errLost)
	}
}

func (s *Sim) arrive(m *message) {
	s.Log("%s: %s arrives", m.host.Name, m.name)
	m.arrived = true
	m.deliver(m)
}

func (s *Sim) bringBack(m *message) {
	m.over = true
	switch {
	case m.deserted || m.host.Dead:
	case m.fragile && s.Fault(s.Frailty/m.weighty()):
		s.Log("FAULT %s: the answer to %s gets lost", m.host.Name, m.name)
		m.answer(errLost)
	default:
		m.answer(nil)
	}
}
