package task

import (
	"slices"

	"github.com/leatstream/leat/internal/offsetmeta"
)

// An input is one partition that a task reads: its records in order, and how
// far it got.
type input struct {
	source Source
	place  int    // among the task's inputs
	origin int    // the source, as its node knows it
	node   int    // place of the source node
	topic  string // in Kafka
	feed   func(*Message) error
	absent bool // the topic has fewer partitions than there are tasks

	extract Stamp // nil: records have their timestamps
	timed   int64 // offset after the head that extract has looked at
	invalid bool  // the head is to be dropped
	failed  error // what extract said of the head

	queue   []Message
	head    int
	pool    *Pool   // of queues; nil: none are used again
	turn    int64   // when the head came to be it: of heads of one time, the one that was there first is taken
	current Message // the one in hand
	touched int     // records from the head on for which Touch was called

	next  int64 // offset to go on from after a restart
	epoch int32
	time  int64 // partition time: the greatest timestamp processed

	fetched  int64 // offset after the last record that was enqueued or passed over
	end      int64 // of the partition, when last heard of; -1: not yet
	deadline int64 // wall clock until when the empty input is waited for; 0: not waiting
}

func newInput(s Source, app string) *input {
	return &input{source: s, topic: s.Topic.Resolve(app), epoch: -1, time: offsetmeta.Unknown, end: -1}
}

func (in *input) empty() bool { return in.head == len(in.queue) }

func (in *input) push(ms []Message) {
	if len(in.queue)+len(ms) > cap(in.queue) {
		in.make(len(in.queue) - in.head + len(ms))
	}
	in.queue = append(in.queue, ms...)
}

// make moves what waits to the front of a queue that has room for n messages.
func (in *input) make(n int) {
	old, to := in.queue, in.queue[:0]
	if n > cap(old) {
		to = in.pool.takeQueue(n)
	}
	to = append(to, old[in.head:]...)
	if n > cap(old) {
		in.give()
	} else {
		clear(old[len(to):])
	}
	in.queue, in.head = to, 0
}

func (in *input) pop() *Message {
	in.current, in.queue[in.head] = in.queue[in.head], Message{} // what it holds can go once it is done
	if in.head++; in.head == len(in.queue) {
		in.give()
	}
	return &in.current
}

// give empties the queue. A large one is for others that have use for it: what waits is
// bounded for all inputs together, not for each.
func (in *input) give() {
	clear(in.queue[in.head:])
	in.queue, in.head = in.queue[:0], 0
	if cap(in.queue) > keptQueue {
		in.pool.giveQueue(in.queue)
		in.queue = nil
	}
}

// unpop puts back what pop has just taken.
func (in *input) unpop() {
	if in.head == 0 { // it was the last one
		in.queue = append(in.queue, in.current)
		return
	}
	in.head--
	in.queue[in.head] = in.current
}

// done moves the position past m, and past what follows it that is not handed out
// if no record waits.
func (in *input) done(m *Message) {
	in.next, in.epoch = m.Offset+1, m.Epoch
	if in.empty() {
		in.next = max(in.next, in.fetched)
	}
}

// clear drops what was not processed.
func (in *input) clear() {
	in.give()
	in.end, in.deadline, in.timed = -1, 0, 0
}

// lag is how many records of the partition are known not to have been enqueued;
// ok is false while that is not known.
func (in *input) lag() (n int64, ok bool) {
	if in.end < 0 {
		return 0, false
	}
	return max(0, in.end-in.fetched), true
}

// Lags reports whether an input is known to hold more than was enqueued.
func (t *Task) Lags() bool {
	return slices.ContainsFunc(t.inputs, func(in *input) bool {
		n, ok := in.lag()
		return ok && n > 0
	})
}

// Left is how many records of the inputs are known and not processed.
func (t *Task) Left() (n int64) {
	for _, in := range t.inputs {
		lag, _ := in.lag()
		n += int64(len(in.queue)-in.head) + lag
	}
	return n
}

// Enqueue hands records of an input to the task, in offset order. end is the
// partition's end as the fetch that brought them saw it, and after is the offset
// after the last record fetched, be it one that is not handed out (an aborted
// record, a transaction marker).
func (t *Task) Enqueue(source int, ms []Message, after, end int64) {
	in := t.inputs[source]
	if in.empty() {
		t.turn(in)
	}
	in.push(ms)
	in.fetched = max(in.fetched, after)
	in.end = max(in.end, end)
	if in.empty() && after > in.next { // nothing before it is left to do
		in.next = after
		t.touched = true
	}
}

// turn puts an input behind those whose heads have its head's time.
func (t *Task) turn(in *input) {
	t.turns++
	in.turn = t.turns
}

// Queued is how many records of an input wait.
func (t *Task) Queued(source int) int { return len(t.inputs[source].queue) - t.inputs[source].head }

// LetGo lets go of what was processed last, which may be a slice of something large.
func (t *Task) LetGo() {
	for _, in := range t.inputs {
		in.current.Key, in.current.Value, in.current.Headers = nil, nil, nil
	}
}

// Return drops the records of an input that wait, and returns where to enqueue from
// again; ok is false if none waits.
func (t *Task) Return(source int) (from int64, ok bool) {
	in := t.inputs[source]
	if in.empty() {
		return 0, false
	}
	from = in.queue[in.head].Offset
	in.give()
	in.timed, in.fetched = 0, from
	return from, true
}

// SetEnd says where an input's partition ends, as far as the caller has heard.
func (t *Task) SetEnd(source int, end int64) { t.inputs[source].end = end }

// Source finds the input that reads a topic, by its name in Kafka.
func (t *Task) Source(topic string) (source int, ok bool) {
	for i, in := range t.inputs {
		if in.topic == topic {
			return i, true
		}
	}
	return 0, false
}

// Ready reports whether the next record may be processed at wall-clock time now,
// by the rule of Kafka Streams' max.task.idle.ms (KIP-695): an input that is
// empty although its partition holds more is waited for, one that has been read
// to its end is waited for as long as Env.MaxTaskIdle says, counted from when it
// was first missed. A record that is to be tried again is waited for, too. wake is when to ask again, in ms; 0 when only a new record
// can change the answer.
func (t *Task) Ready(now int64) (ready bool, wake int64) {
	if now < t.trial.until {
		return false, t.trial.until
	}
	if len(t.inputs) == 1 {
		return !t.inputs[0].empty(), 0
	}
	any, waits := false, false
	for _, in := range t.inputs {
		if !in.empty() {
			any, in.deadline = true, 0
			continue
		}
		if t.maxIdle < 0 || in.absent {
			continue
		}
		if lag, known := in.lag(); !known || lag > 0 {
			in.deadline, waits = 0, true
			continue
		}
		if in.deadline == 0 {
			in.deadline = now + t.maxIdle
		}
		if now < in.deadline {
			waits = true
			wake = max(wake, in.deadline)
		}
	}
	if any && waits {
		return false, wake
	}
	return any, 0
}

// Inputs names the topics that the task reads, by source; "" where the topic has
// no partition for it.
func (t *Task) Inputs() []string {
	names := make([]string, len(t.inputs))
	for i, in := range t.inputs {
		if !in.absent {
			names[i] = in.topic
		}
	}
	return names
}
