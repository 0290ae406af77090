package task

import (
	"errors"
	"strconv"

	"github.com/leatstream/leat/internal/state"
)

// Policy says what becomes of a record that fails.
type Policy int8

const (
	// Fail stops the service. Nothing of the record's transaction takes effect.
	Fail Policy = iota
	// Skip drops the record, counts it, and goes on.
	Skip
	// DeadLetter writes the record to the dead-letter topic, in the same
	// transaction, and goes on.
	DeadLetter
)

var policyNames = [...]string{"fail", "skip", "dead_letter"}

func (p Policy) String() string { return policyNames[p] }

// ErrUnskippable is wrapped by errors that no policy may pass over: what would
// be lost is state, not a result.
var ErrUnskippable = errors.New("not skippable")

// unskippable is implemented by errors that are not the record's fault: of a serde that
// could not ask a service, of a store whose bytes cannot be read.
type unskippable interface {
	error
	Unskippable()
}

// Policies are a task's answers to records that fail.
type Policies struct {
	Decode          Policy // undecodable, or without a valid timestamp
	Process         Policy // user code returned an error or panicked
	Produce         Policy // the brokers refused what the record caused
	Retry           Retry  // before Process answers
	DeadLetterTopic string
}

// Lenient reports whether a failed record may be passed over at all.
func (p Policies) Lenient() bool { return p.Decode != Fail || p.Process != Fail || p.Produce != Fail }

// undoes reports whether what a record did may have to be undone, so that each one
// needs a savepoint.
func (p Policies) undoes() bool { return p.Lenient() || p.Retry.Times > 0 }

// answer returns the policy for err and the reason it is counted under.
func (p Policies) answer(err error) (Policy, Drop) {
	var stateErr *state.Error
	var other unskippable
	var refused *ProduceError
	switch {
	case errors.Is(err, ErrUnskippable), errors.As(err, &stateErr), errors.As(err, &other):
		return Fail, 0
	case errors.Is(err, ErrDecode), errors.Is(err, ErrTimestamp):
		return p.Decode, DropDecode
	case errors.As(err, &refused):
		return p.Produce, DropRefused
	default:
		return p.Process, DropProcess
	}
}

// A savepoint is what a task was before one record.
type savepoint struct {
	out        int
	written    int64
	timers     []*Timer
	schedules  []Timer // of timers
	streamTime int64
	inputTime  int64
	times      []int64
	tallies    []int64
	drops      Drops
}

// mark begins a savepoint: for a record of an input, or for a timer, which has none.
func (t *Task) mark(in *input) {
	p := &t.saved
	p.out, p.streamTime, p.drops = len(t.out), t.streamTime, t.drops
	p.written = t.written
	if in != nil {
		p.inputTime = in.time
	}
	p.timers, p.schedules = append(p.timers[:0], t.timers...), p.schedules[:0]
	for _, tm := range t.timers {
		p.schedules = append(p.schedules, *tm)
	}
	p.times = p.times[:0]
	for _, nt := range t.nodeTimes {
		p.times = append(p.times, nt.at)
	}
	p.tallies = p.tallies[:0]
	for _, y := range t.tallies {
		p.tallies = append(p.tallies, y.N)
	}
	for _, s := range t.stores {
		s.State.Mark()
	}
}

func (t *Task) release() {
	for _, s := range t.stores {
		s.State.Release()
	}
}

// undo takes back all that was done since mark.
func (t *Task) undo(in *input) {
	p := &t.saved
	clear(t.out[p.out:])
	t.out, t.streamTime, t.drops = t.out[:p.out], p.streamTime, p.drops
	t.written = p.written
	if in != nil {
		in.time = p.inputTime
	}
	t.timers = append(t.timers[:0], p.timers...)
	for i, tm := range t.timers {
		*tm = p.schedules[i]
	}
	for i, nt := range t.nodeTimes[:len(p.times)] {
		nt.at = p.times[i]
	}
	for i, y := range t.tallies {
		y.N = p.tallies[i]
	}
	for _, s := range t.stores {
		s.State.Undo()
	}
}

// pass answers a failed record: it is undone, and counted or dead-lettered. An
// error that no policy passes over is returned.
func (t *Task) pass(in *input, m *Message, err error) error {
	policy, reason := t.policies.answer(err)
	if policy == Fail {
		return err
	}
	t.undo(in)
	t.passed = err
	if policy == DeadLetter {
		if e := t.deadLetter(in, m, err); e != nil {
			return errors.Join(err, e)
		}
		reason = DropDeadLetter
	}
	t.Drop(reason)
	return nil
}

// Header keys of a dead letter, as Kafka Streams writes them (KIP-1034).
const (
	headerException = "__streams.errors.exception"
	headerMessage   = "__streams.errors.message"
	headerStack     = "__streams.errors.stacktrace"
	headerTopic     = "__streams.errors.topic"
	headerPartition = "__streams.errors.partition"
	headerOffset    = "__streams.errors.offset"
)

// headerOmitted says what a dead letter lacks because it would have been too large.
const headerOmitted = "__leat.errors.omitted"

// deadLetter writes the record in hand to the dead-letter topic. One that would be too
// large goes without its stack, then without its value too, which its source topic
// has at the offset named: the position must not be lost.
func (t *Task) deadLetter(in *input, m *Message, err error) error {
	stack, message := []byte{}, []byte(err.Error())
	var te *Error
	if errors.As(err, &te) {
		stack = append(stack, te.Stack...)
	}
	o := Output{Topic: t.policies.DeadLetterTopic, Partition: ByKey, Key: m.Key, Value: m.Value, Time: max(m.Time, 0)}
	write := func(omitted ...Header) error {
		o.Headers = append(append(append([]Header(nil), m.Headers...),
			Header{headerException, []byte(kindOf(err))},
			Header{headerMessage, message},
			Header{headerStack, stack},
			Header{headerTopic, []byte(in.topic)},
			Header{headerPartition, []byte(strconv.Itoa(int(t.partition)))},
			Header{headerOffset, []byte(strconv.FormatInt(m.Offset, 10))}), omitted...)
		return t.Send(o)
	}
	e := write()
	if errors.Is(e, ErrTooLarge) {
		message, stack = message[:min(len(message), 1024)], []byte{}
		e = write(Header{headerOmitted, []byte("stacktrace")})
	}
	if errors.Is(e, ErrTooLarge) {
		o.Value = nil
		e = write(Header{headerOmitted, []byte("stacktrace,value")})
	}
	return e
}

// kindOf is where a record failed.
func kindOf(err error) string {
	var refused *ProduceError
	switch {
	case errors.Is(err, ErrDecode):
		return "decode"
	case errors.As(err, &refused):
		return "produce"
	}
	return "process"
}
