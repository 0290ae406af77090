package task

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
)

// Touched reports whether anything happened since the last Commit or Rollback.
func (t *Task) Touched() bool { return t.touched }

// CommitRequested reports whether user code asked for a commit.
func (t *Task) CommitRequested() bool { return t.asked }

// Touch makes the next commit name the task, whether anything happens or not: where
// its inputs begin is to be kept.
func (t *Task) Touch() { t.touched = true }

// Flush ends a unit of work: coalesced results are emitted, then every changed
// key's last value goes to its changelog. After it TakeOutput has all that the
// transaction must hold. Commit or Rollback must follow. spill, if it is not nil, takes
// the output now and then while there is more to come, so that it need not all be held
// at once; its error ends the flush.
func (t *Task) Flush(spill func() error) error {
	t.spill = spill
	defer func() { t.spill = nil }()
	if err := t.tell(); err != nil {
		return err
	}
	for _, s := range t.stores {
		if err := s.State.Err(); err != nil { // user code may have passed over it
			return &Error{Task: t.ID(), Node: "store " + s.Name, Err: err}
		}
		if s.Topic == "" {
			continue
		}
		if err := t.log(s); err != nil {
			return &Error{Task: t.ID(), Node: "store " + s.Name, Err: fmt.Errorf("%w: %w", ErrUnskippable, err)}
		}
	}
	return nil
}

// orderFlushes says in which order coalesced results are emitted, and that they will be.
func (t *Task) orderFlushes() {
	slices.SortStableFunc(t.flushes, func(a, b flushHook) int { return a.node - b.node })
	if len(t.flushes) == 0 {
		return
	}
	for _, s := range t.stores {
		s.State.Linger() // see tell
	}
}

// tell emits coalesced results. What they are joined with may have expired since they
// changed, and is there all the same.
func (t *Task) tell() error {
	if len(t.flushes) == 0 {
		return nil
	}
	for _, s := range t.stores {
		s.State.KeepExpired(true)
		defer s.State.KeepExpired(false)
	}
	for _, h := range t.flushes {
		if err := t.flush(h); err != nil {
			return err
		}
	}
	return nil
}

// log writes the changes of a store to its changelog.
func (t *Task) log(s *StorePartition) error {
	layout := s.State.Layout()
	changes := s.State.Changes
	if _, ok := layout.(interface{ LogsByUse() }); ok {
		changes = s.State.LastChanges
	}
	err := changes(func(c state.Change) error {
		if c.Key = layout.Logged(c.Key); c.Key == nil || c.Value == nil && c.Old == nil && c.OldRead {
			return nil // what came and went leaves no trace
		}
		return t.sendChange(s, c)
	})
	if err != nil {
		return err
	}
	return s.State.Logged(func(c state.Change) error { return t.sendChange(s, c) })
}

func (t *Task) sendChange(s *StorePartition, c state.Change) error {
	o := Output{Topic: s.Topic, Partition: t.partition, Key: c.Key, Value: c.Value, Time: c.Time, Changelog: s}
	if c.Value != nil {
		o.Headers = s.Headers
	}
	return t.Send(o)
}

func (t *Task) flush(h flushHook) (err error) {
	t.current, t.input, t.at, t.flushed = nil, nil, h.node, h.node
	defer t.guard(&err)
	if err = h.fn(); t.lost != nil {
		return t.lost
	}
	return err
}

// Output is what has been written since TakeOutput was last called. The slice is
// valid until the task is used again; what its records refer to, until Commit, Rollback
// or Arena.Sent.
func (t *Task) TakeOutput() []Output {
	out := t.out
	t.out, t.written = t.out[:0], 0
	return out
}

// Written is how many bytes TakeOutput has to return.
func (t *Task) Written() int64 { return t.written }

// TakeDrops returns the records dropped since it was last called.
func (t *Task) TakeDrops() Drops {
	d := t.drops
	t.drops = Drops{}
	return d
}

// A Point is where one input of a task stands.
type Point struct {
	Topic    string
	Offset   int64 // to go on from
	Epoch    int32 // of the leader of the last record; -1 if unknown
	Metadata string
	Time     int64 // the greatest timestamp processed, in ms; -1 before the first
}

// Points are where the task's inputs stand, to be committed with its output. All
// inputs are named, those that nothing was read from too.
func (t *Task) Points() []Point {
	times := t.times()
	points := make([]Point, 0, len(t.inputs))
	for _, in := range t.inputs {
		if !in.absent {
			m := offsetmeta.Metadata{PartitionTime: in.time, Times: times}
			points = append(points, Point{in.topic, in.next, in.epoch, m.Encode(), in.time})
		}
	}
	return points
}

// observedSuffix, behind a store's name, names the time that its expiry goes by. No
// name holds an @.
const observedSuffix = "@time"

// numberSuffix, behind a store's name, names the last number given to an entry.
const numberSuffix = "@number"

// inputsName names the InputsMark of what a task had when it committed.
const inputsName = "@inputs"

// present are the topics of the task's inputs.
func (t *Task) present() (topics []string) {
	for _, in := range t.inputs {
		if !in.absent {
			topics = append(topics, in.topic)
		}
	}
	return topics
}

// InputsMark tells the topics that a task reads from others. It is committed: an input
// without an offset that was there already has lost it.
func InputsMark(topics []string) int64 {
	h := fnv.New64a()
	for _, topic := range slices.Sorted(slices.Values(topics)) {
		_, _ = h.Write(append([]byte(topic), 0))
	}
	return int64(h.Sum64())
}

// HadInputs reports whether a task that committed m read these topics, and no others.
func HadInputs(m offsetmeta.Metadata, topics []string) bool {
	mark, ok := m.Times[inputsName]
	return ok && mark == InputsMark(topics)
}

func (t *Task) times() map[string]int64 {
	times := make(map[string]int64, len(t.nodeTimes)+len(t.timers)+len(t.stores)+1)
	times[inputsName] = t.inputsMark
	for _, nt := range t.nodeTimes {
		if nt.at != offsetmeta.Unknown && nt.name != Uncommitted {
			times[nt.name] = nt.at
		}
	}
	for _, s := range t.stores {
		if observed, _ := commits(s); observed {
			times[s.Name+observedSuffix] = s.State.Observed() // state.NeverObserved, too
		}
		if n := s.State.LastNumber(); n > 0 {
			times[s.Name+numberSuffix] = n
		}
	}
	for _, tm := range t.timers {
		if tm.next > 0 && !tm.off {
			times[tm.name] = tm.next
		}
	}
	return times
}

// Resume sets where an input goes on from, and the times that were committed
// with it. It is called for every input before the first record, and again after
// a Rollback.
func (t *Task) Resume(topic string, offset int64, meta offsetmeta.Metadata) error {
	for _, in := range t.inputs {
		if in.topic != topic {
			continue
		}
		in.clear()
		in.next, in.fetched = offset, offset
		in.time = meta.PartitionTime
		t.streamTime = max(t.streamTime, in.time)
		for _, nt := range t.nodeTimes {
			if at, ok := meta.Times[nt.name]; ok {
				nt.Advance(at)
			}
		}
		for _, s := range t.stores {
			if at, ok := meta.Times[s.Name+observedSuffix]; ok {
				if t.behind {
					s.State.ResumeBehind(at)
				} else {
					s.State.Resume(at) // another program may have gone on, and kept a time of ours
				}
			}
			if n, ok := meta.Times[s.Name+numberSuffix]; ok {
				s.State.ResumeNumber(n)
			}
		}
		for _, tm := range t.timers {
			if at, ok := meta.Times[tm.name]; ok {
				tm.resume(at, t.streamTime, t.wallClock)
			}
		}
		return nil
	}
	return fmt.Errorf("task %s does not read %q", t.ID(), topic)
}

// Commit says that the unit of work has taken effect: state changes become
// committed state and the memory of the output is used again.
func (t *Task) Commit() {
	for _, s := range t.stores {
		s.State.Commit()
	}
	t.arena.reset()
	clear(t.out[:cap(t.out)]) // what it refers to can go
	t.flushed = -1
	t.touched, t.asked = false, false
}

// Rollback says that the unit of work has had no effect. The task must not be
// used any more but to close it: times and timers are not taken back.
func (t *Task) Rollback() {
	for _, s := range t.stores {
		s.State.Rollback()
	}
	t.arena.drop()
	t.flushed = -1
	t.out, t.touched, t.asked = nil, false, false
	for _, in := range t.inputs {
		in.clear()
	}
}

// commits says which of a store's time and last number are committed.
func commits(s *StorePartition) (observed, number bool) {
	if l, ok := s.State.Layout().(interface {
		Commits() (observed, number bool)
	}); ok {
		return l.Commits()
	}
	return false, false
}

// checkMetadata refuses a task whose committed metadata could not be held by the
// broker.
func (t *Task) checkMetadata() error {
	m := offsetmeta.Metadata{Times: map[string]int64{inputsName: 0}}
	for _, nt := range t.nodeTimes {
		m.Times[nt.name] = 0
	}
	delete(m.Times, Uncommitted)
	for _, tm := range t.timers {
		m.Times[tm.name] = 0
	}
	for _, s := range t.stores {
		observed, number := commits(s)
		if observed {
			m.Times[s.Name+observedSuffix] = 0
		}
		if number {
			m.Times[s.Name+numberSuffix] = 0
		}
	}
	if n := len(m.Encode()); n > offsetmeta.MaxBytes {
		return fmt.Errorf("task %s: its times need %d bytes of offset metadata and the broker takes %d: shorten the names of processors, or schedule fewer timers", t.ID(), n, offsetmeta.MaxBytes)
	}
	return nil
}
