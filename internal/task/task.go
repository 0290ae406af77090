// Package task is the deterministic core. A Task owns one partition of one
// sub-topology. It starts no goroutine, reads no clock and does no I/O but
// reading its stores; the caller feeds it records and time, and collects what it
// wants written. The broker runtime, the test driver and the simulator run the
// same code.
package task

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
)

// Env is what a task needs from the outside when it is made.
type Env struct {
	App         string
	Policies    Policies
	Behind      bool                     // the offsets may be, of what the stores hold: there are no transactions
	MaxTaskIdle int64                    // ms to wait for an empty input that is caught up; negative: wait for none
	WallClock   int64                    // ms
	Globals     map[string]*state.Shared // global tables by store
	MaxRecord   int                      // bytes of an output record; 0: no limit
	Counts      []int32                  // partitions of each source topic; nil: every topic has the task's
	Partitions  func(topic string) int32 // of a topic that is written, 0 if it is not known; asked for custom partitioners alone
	Opens       func(*Task)              // is told of the task, for Peek, before its nodes are opened; may be nil
}

// A Task is one running partition of a sub-topology. It belongs to one goroutine
// at a time.
type Task struct {
	app       string
	sub       *Sub
	partition int32
	policies  Policies
	maxIdle   int64
	behind    bool // see Env
	maxRecord int
	globals   map[string]*state.Shared
	counts    func(string) int32

	ports      []any
	inputs     []*input
	inputsMark int64 // see InputsMark
	turns      int64 // counts the heads of inputs
	stores     []*StorePartition
	timers     []*Timer
	nodeTimes  []*NodeTime
	tallies    []*Tally
	flushes    []flushHook
	flushed    int // the last node whose flush hook has run, or runs; -1: none since the last commit

	streamTime int64 // offsetmeta.Unknown before the first record
	wallClock  int64
	current    *Message // nil in a timer
	input      *input
	past       Origin // that of what had been kept and is processed now; no topic: there is none
	now        int64  // timestamp of what is written now
	at         int    // node whose code runs

	out     []Output
	written int64        // bytes of out
	spill   func() error // takes out while the task is flushed; nil: nobody does
	arena   Arena
	drops   Drops
	saved   savepoint
	trial   trial
	retries int64
	passed  error                   // of the last record that a policy passed over
	refused map[int64]*ProduceError // by source and offset: see Refuse
	touched bool                    // something happened since the last commit
	asked   bool                    // user code asked for a commit
	lost    error                   // what user code may not hide: see Lose
}

// A StorePartition is a task's share of a store.
type StorePartition struct {
	Store
	Index int    // among the task's stores
	Topic string // its own changelog; empty if it has none
	Input int    // the source that serves as its changelog; -1 if none does
	State *state.Store
}

// New makes the task of a sub-topology's partition. open supplies its stores,
// restored.
func New(sub *Sub, partition int32, env Env, open func(Store) (*state.Store, error)) (*Task, error) {
	t := &Task{
		app: env.App, sub: sub, partition: partition, policies: env.Policies, maxIdle: env.MaxTaskIdle, behind: env.Behind, maxRecord: env.MaxRecord, globals: env.Globals, flushed: -1, counts: env.Partitions,
		ports: make([]any, len(sub.Nodes)), streamTime: offsetmeta.Unknown, wallClock: env.WallClock,
	}
	for i, spec := range sub.Stores {
		s, err := open(spec)
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", t.ID(), err)
		}
		// Found at the first record instead, the task would fail again and again on what no
		// policy passes over.
		if err := s.Readable(); err != nil {
			return nil, &Error{Task: t.ID(), Node: "store " + spec.Name, Err: err}
		}
		p := &StorePartition{Store: spec, Index: i, State: s, Input: -1}
		if spec.Source.Name != "" {
			p.Input = slices.IndexFunc(sub.Sources, func(s Source) bool { return s.Topic == spec.Source })
		} else if spec.Logged {
			p.Topic = Changelog(env.App, spec.Name)
		}
		t.stores = append(t.stores, p)
	}
	for i, s := range sub.Sources {
		in := newInput(s, env.App)
		if in.origin = i; sub.Origins != nil {
			in.origin = sub.Origins[i]
		}
		in.absent = env.Counts != nil && partition >= env.Counts[i]
		in.place = len(t.inputs)
		t.inputs = append(t.inputs, in)
	}
	t.inputsMark = InputsMark(t.present())
	if env.Opens != nil {
		env.Opens(t)
	}
	for i := len(sub.Nodes) - 1; i >= 0; i-- { // children first: a parent finds its readers
		if err := t.open(i); err != nil {
			return nil, err
		}
	}
	t.orderFlushes()
	t.touched = len(t.out) > 0 || slices.ContainsFunc(t.stores, func(s *StorePartition) bool { return s.State.Dirty() })
	return t, t.checkMetadata()
}

func (t *Task) open(i int) (err error) {
	t.at = i
	defer t.guard(&err)
	return t.sub.Nodes[i].Open(t)
}

// guard turns a panic of user code into an error, and says where an error was.
func (t *Task) guard(err *error) {
	if r := recover(); r != nil {
		e := t.where(fmt.Errorf("%w: %v", ErrPanic, r))
		e.Stack = debug.Stack()
		*err = e
		return
	}
	if _, placed := (*err).(*Error); *err != nil && !placed {
		*err = t.where(*err)
	}
}

func (t *Task) where(err error) *Error {
	e := &Error{Task: t.ID(), Node: t.sub.Nodes[t.at].Name, Err: err}
	if t.input != nil {
		e.Topic, e.Partition = t.input.topic, t.partition
	}
	if t.current != nil {
		e.Offset = t.current.Offset
	}
	return e
}

// ID names the task as Kafka Streams does: sub-topology, underscore, partition.
func (t *Task) ID() string { return fmt.Sprintf("%d_%d", t.sub.ID, t.partition) }

// App is the application's name.
func (t *Task) App() string { return t.app }

// Sub is the sub-topology the task belongs to.
func (t *Task) Sub() *Sub { return t.sub }

// Partition is the number of the partitions the task reads.
func (t *Task) Partition() int32 { return t.partition }

// Stores are the task's stores, in the order of Sub.Stores.
func (t *Task) Stores() []*StorePartition { return t.stores }

// Process takes the record with the smallest timestamp among the heads of the
// inputs through the topology. It returns false if every input is empty, or if the
// record has failed and is to be tried again; whether an empty input should be waited
// for, and that record, is Ready's matter.
func (t *Task) Process() (bool, error) {
	in := t.choose()
	if in == nil {
		return false, nil
	}
	if in.touched--; in.touched < 0 {
		t.touch(in)
	}
	m := in.pop()
	t.turn(in)
	touched := t.touched
	t.touched = true
	undoes := t.policies.undoes()
	if undoes {
		t.mark(in)
	}
	err := t.run(in, m)
	if t.lost != nil {
		return true, t.lost
	}
	switch {
	case err != nil && undoes && t.again(in, m, err):
		t.touched = touched
		return false, nil
	case err != nil && undoes:
		err = t.pass(in, m, err)
	case undoes:
		t.release()
	}
	if err != nil {
		return true, err
	}
	in.done(m)
	return true, t.due(StreamTime, t.streamTime)
}

func (t *Task) choose() (first *input) {
	for _, in := range t.inputs {
		if in.empty() {
			continue
		}
		if in.extract != nil {
			t.stamp(in)
		}
		if first == nil {
			first = in
			continue
		}
		if at, least := in.queue[in.head].Time, first.queue[first.head].Time; at < least || at == least && in.turn < first.turn {
			first = in
		}
	}
	return first
}

func (t *Task) run(in *input, m *Message) (err error) {
	t.current, t.input, t.now, t.at, t.past = m, in, m.Time, in.node, Origin{}
	defer t.guard(&err)
	switch {
	case len(t.refused) > 0 && t.refusedHead(in, m) != nil:
		return t.refusedHead(in, m)
	case in.extract != nil && in.failed != nil:
		return in.failed
	case in.extract != nil && in.invalid:
		t.Drop(DropTimestamp)
		return nil
	case m.Time < 0:
		return ErrTimestamp
	}
	in.time = max(in.time, m.Time)
	t.streamTime = max(t.streamTime, m.Time)
	return in.feed(m)
}

// AdvanceWallClock moves the wall clock, in ms, and fires what is due by it. The
// clock never goes back.
func (t *Task) AdvanceWallClock(now int64) error {
	t.wallClock = max(t.wallClock, now)
	return t.due(WallClock, t.wallClock)
}

// NextWallClock is when the next wall-clock timer is due; ok is false if there
// is none.
func (t *Task) NextWallClock() (at int64, ok bool) {
	for _, tm := range t.timers {
		if tm.clock == WallClock && !tm.off && (!ok || tm.next < at) {
			at, ok = tm.next, true
		}
	}
	return at, ok
}

// The rest of this file is what nodes see of their task.

// Feed makes fn the reader of the source's records. It is called while a source
// node is opened.
func (t *Task) Feed(source int, fn func(*Message) error) {
	for _, in := range t.inputs {
		if in.origin == source {
			in.feed, in.node = fn, t.at
		}
	}
}

// Enter says that the code of the node at place id is about to run, so that an
// error or a panic names it.
func (t *Task) Enter(id int) { t.at = id }

// Store returns the task's share of the store called name. The topology has
// checked that the node may use it.
func (t *Task) Store(name string) *state.Store {
	for _, s := range t.stores {
		if s.Name == name {
			return s.State
		}
	}
	panic("task: no store " + name)
}

// Global returns the global table whose store is called name. The topology has checked
// that there is one.
func (t *Task) Global(name string) *state.Shared {
	if s := t.globals[name]; s != nil {
		return s
	}
	panic("task: no global table " + name)
}

// Send adds a record to the output. It refuses one that no broker would take, so
// that the record in hand fails and not its whole transaction.
func (t *Task) Send(o Output) error {
	if n := o.size(); t.maxRecord > 0 && n > t.maxRecord {
		return fmt.Errorf("%w: %d bytes for topic %q, and the limit is %d", ErrTooLarge, n, o.Topic, t.maxRecord)
	}
	if o.Source = -1; t.current != nil {
		o.Source, o.Offset = t.input.place, t.current.Offset
	}
	t.out = append(t.out, o)
	t.written += int64(len(o.Key) + len(o.Value))
	if t.spill != nil && (len(t.out) >= spillAt || t.written >= spillBytes) {
		return t.spill()
	}
	return nil
}

// spillAt is how many records are held while a task is flushed, and spillBytes how much.
const spillAt, spillBytes = 512, 1 << 20

// Partitions is how many partitions a topic has that the task writes.
func (t *Task) Partitions(topic string) (int32, error) {
	if t.counts != nil {
		if n := t.counts(topic); n > 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("the partition of a record for topic %q depends on how many it has, which is not known: name the topic in a To, not only in ToEach", topic)
}

// Lose says that something was lost that no policy may pass over, whatever user code
// makes of the error: a repartition write. The record in hand fails with it.
func (t *Task) Lose(err error) error {
	err = fmt.Errorf("%w: %w", ErrUnskippable, err)
	if t.lost == nil {
		t.lost = t.where(err)
	}
	return err
}

// Share makes the task have the memory for its outputs, and for records that wait, from
// a pool.
func (t *Task) Share(p *Pool) {
	t.arena.pool = p
	for _, in := range t.inputs {
		in.pool = p
	}
}

// Arena is where the bytes of outputs live.
func (t *Task) Arena() *Arena { return &t.arena }

// Drop counts a record that has no effect.
func (t *Task) Drop(why Drop) { t.drops[why]++ }

// StreamTime is the greatest timestamp seen, in ms; -1 before the first record.
func (t *Task) StreamTime() int64 { return t.streamTime }

// WallClock is the time of day the task was last told, in ms.
func (t *Task) WallClock() int64 { return t.wallClock }

// Now is the timestamp of what is being processed, in ms: a record's, or that of
// the firing of a timer.
func (t *Task) Now() int64 { return t.now }

// SetNow makes now the timestamp of what is being processed, and returns what it was.
func (t *Task) SetNow(now int64) (was int64) {
	was, t.now = t.now, now
	return was
}

// An Origin is where a record came from.
type Origin struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Origin is where what is being processed came from; ok is false in a timer.
func (t *Task) Origin() (o Origin, ok bool) {
	switch {
	case t.past.Topic != "":
		return t.past, true
	case t.current == nil:
		return Origin{}, false
	}
	return Origin{t.input.topic, t.partition, t.current.Offset}, true
}

// SetOrigin says that what is processed now had been kept, and where it came from, and
// returns what was said before. No topic: it is the record in hand.
func (t *Task) SetOrigin(o Origin) (was Origin) {
	was, t.past = t.past, o
	return was
}

// RequestCommit asks for a commit as soon as the record in hand is done.
func (t *Task) RequestCommit() { t.asked = true }

// Schedule calls fn every so many ms of a clock. A stream-time timer fires first
// at the first record and then at multiples of every; where it stands is
// committed with the offsets, under name, and so is where a wall-clock timer stands,
// which fires first after one interval. Firings that were missed are skipped.
func (t *Task) Schedule(name string, clock Clock, every int64, fn func(now int64) error) *Timer {
	tm := &Timer{node: t.at, name: name, clock: clock, every: every, fn: fn}
	if clock == WallClock {
		tm.next = t.wallClock + every
	}
	t.timers = append(t.timers, tm)
	return tm
}

// A NodeTime is a time that a node keeps and that is committed with the offsets.
// Of two that meet after a move, the later one holds.
type NodeTime struct {
	name string
	at   int64
}

// Uncommitted is the name of a NodeTime that a restart forgets.
const Uncommitted = ""

// NodeTime returns the time kept under name, offsetmeta.Unknown at first. It is
// called while a node is opened.
func (t *Task) NodeTime(name string) *NodeTime {
	nt := &NodeTime{name, offsetmeta.Unknown}
	t.nodeTimes = append(t.nodeTimes, nt)
	return nt
}

// Advance moves the time forward to now, if that is later, and returns it.
func (nt *NodeTime) Advance(now int64) int64 {
	nt.at = max(nt.at, now)
	return nt.at
}

// At returns the time; ok is false if there is none yet.
func (nt *NodeTime) At() (at int64, ok bool) { return nt.at, nt.at != offsetmeta.Unknown }

// Set replaces the time, be it by an earlier one.
func (nt *NodeTime) Set(at int64) { nt.at = at }

// Forget leaves no time.
func (nt *NodeTime) Forget() { nt.at = offsetmeta.Unknown }

type flushHook struct {
	node int
	fn   func() error
}

// Flushed reports whether the node at place id has emitted, in this unit of work, what
// it holds back until the flush.
func (t *Task) Flushed(id int) bool { return id <= t.flushed }

// OnFlush calls fn before every commit, parents before children. It is called
// while a node is opened.
func (t *Task) OnFlush(fn func() error) { t.flushes = append(t.flushes, flushHook{t.at, fn}) }
