package task

import (
	"errors"
	"fmt"

	"github.com/leatstream/leat/internal/state"
)

// Retry says how often a record is tried again whose code has returned an error,
// before its policy answers. While the record waits its task does, and no other: the
// task's other inputs too, since records are taken in the order of their timestamps.
type Retry struct {
	Times   int
	Backoff int64 // ms before the first one; doubled for each further one
	Max     int64 // ms
}

// A trial is the record that is to be tried again.
type trial struct {
	in     *input
	offset int64
	times  int
	until  int64 // wall clock, ms
}

// again puts the record in hand back, as if nothing had been done, if it makes sense
// to try it again: not after a panic, nor if it cannot be decoded or its result is
// too large, for that it will be the next time.
func (t *Task) again(in *input, m *Message, err error) bool {
	r := t.policies.Retry
	if r.Times == 0 || !passing(err) || in.extract != nil && in.failed != nil {
		return false
	}
	if t.trial.in != in || t.trial.offset != m.Offset {
		t.trial = trial{in: in, offset: m.Offset}
	}
	if t.trial.times == r.Times {
		t.trial = trial{}
		return false
	}
	wait := r.Backoff << min(t.trial.times, 20)
	if r.Max > 0 {
		wait = min(wait, r.Max)
	}
	t.trial.times++
	t.trial.until = t.wallClock + wait
	t.retries++
	t.undo(in)
	in.unpop()
	return true
}

// passing reports whether an error may be gone the next time.
func passing(err error) bool {
	var stateErr *state.Error
	var refused *ProduceError
	var other unskippable
	for _, lasting := range []error{ErrUnskippable, ErrDecode, ErrTimestamp, ErrTooLarge, ErrPanic} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	return !errors.As(err, &stateErr) && !errors.As(err, &refused) && !errors.As(err, &other)
}

// Passable reports whether a policy may pass over a record that was to go to a topic:
// not if it is state, or work for another task, or itself what is left of a record that
// has failed.
func (t *Task) Passable(topic string) bool {
	for _, s := range t.stores {
		if s.Topic == topic {
			return false
		}
	}
	for _, s := range t.sub.Sinks {
		if s.Topic.Internal && s.Topic.Resolve(t.app) == topic {
			return false
		}
	}
	return topic != t.policies.DeadLetterTopic
}

// Failed is how many records policies have passed over since TakeDrops was last called,
// and why the last one.
func (t *Task) Failed() (n int64, last error) { return t.drops.Failed(), t.passed }

// TakeRetries returns how many times records were put back since it was last called.
func (t *Task) TakeRetries() int64 {
	n := t.retries
	t.retries = 0
	return n
}

// A ProduceError is a record that the brokers refused to take.
type ProduceError struct {
	Topic     string
	Partition int32
	Err       error
}

func (e *ProduceError) Error() string {
	return fmt.Sprintf("write to %s[%d]: %v", e.Topic, e.Partition, e.Err)
}

func (e *ProduceError) Unwrap() error { return e.Err }

// Refuse makes the record of a source at an offset fail when its turn comes, before
// any code sees it: the brokers have refused what it had caused.
func (t *Task) Refuse(source int, offset int64, err *ProduceError) {
	if t.refused == nil {
		t.refused = map[int64]*ProduceError{}
	}
	t.refused[refusal(source, offset)] = err
}

// refusal is a key for an offset of a source: no log is longer than 2^56.
func refusal(source int, offset int64) int64 { return int64(source)<<56 | offset }

// refusedHead returns the refusal of the record in hand.
func (t *Task) refusedHead(in *input, m *Message) error {
	if len(t.refused) > 0 {
		if e, ok := t.refused[refusal(in.place, m.Offset)]; ok {
			return e
		}
	}
	return nil
}
