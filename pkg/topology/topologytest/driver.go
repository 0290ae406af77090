// Package topologytest runs a topology in memory, without a broker and on a clock
// that the test moves. The tasks are the very ones that run in production; so is
// what they write to changelogs, and how they come back from them.
package topologytest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/murmur"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

const app = "test"

// A Driver runs every task of a topology. It is not safe for concurrent use.
type Driver struct {
	tb         testing.TB
	built      *task.Plan
	plan       *task.Plan // of the topics that there are
	partitions int32
	every      int
	maxIdle    int64 // ms; negative: inputs are not waited for
	policies   task.Policies
	onError    func(error)

	now        int64 // wall clock, ms
	engine     engine.Engine
	openEngine func() engine.Engine
	elsewhere  engine.Engine  // the other process's, once there has been one
	tasks      [][]*task.Task // by sub-topology and partition
	topics     map[string]*log
	since      int // records since the last commit
	points     map[place]task.Point

	globals map[string]*task.Whole
	left    task.Drops // by them
}

// An Option changes how a driver runs.
type Option func(*Driver)

// Partitions gives every topic n partitions, and so every sub-topology n tasks.
// The default is one.
func Partitions(n int32) Option { return func(d *Driver) { d.partitions = n } }

// CommitEvery commits after so many input records instead of after each. What a
// coalescing table emits, it emits at a commit.
func CommitEvery(records int) Option { return func(d *Driver) { d.every = records } }

// MaxTaskIdle makes a task wait for an input that is empty, until Advance has moved the
// clock so far, as a service does. Without it a task takes what is there.
func MaxTaskIdle(d time.Duration) Option {
	return func(dr *Driver) { dr.maxIdle = d.Milliseconds() }
}

// StartAt sets the clock; the default is the Unix epoch.
func StartAt(t time.Time) Option { return func(d *Driver) { d.now = t.UnixMilli() } }

// Failures sets what becomes of records that cannot be decoded and of those that
// user code fails on. The default is to fail the test.
func Failures(decode, process topology.Policy, deadLetterTopic string) Option {
	return func(d *Driver) {
		d.policies = task.Policies{Decode: decode, Process: process, DeadLetterTopic: deadLetterTopic}
	}
}

// Engine keeps local state in an engine that open opens in a directory of the test's,
// such as pebble.Open. The default is in memory.
func Engine(open func(dir string) (store.Engine, error)) Option {
	return func(d *Driver) {
		d.openEngine = func() engine.Engine {
			d.tb.Helper()
			e, err := open(d.tb.TempDir())
			if err != nil {
				d.tb.Fatal(err)
			}
			d.tb.Cleanup(func() {
				if err := e.Close(); err != nil {
					d.tb.Error(err)
				}
			})
			return e
		}
	}
}

// OnError is called instead of failing the test when a task fails.
func OnError(fn func(error)) Option { return func(d *Driver) { d.onError = fn } }

// New starts a driver. It fails the test if the topology is invalid.
func New(tb testing.TB, b *topology.Builder, opts ...Option) *Driver {
	tb.Helper()
	d := &Driver{
		tb: tb, partitions: 1, every: 1, maxIdle: -1, openEngine: func() engine.Engine { return memory.New() },
		topics: map[string]*log{}, points: map[place]task.Point{},
	}
	d.onError = func(err error) { tb.Helper(); tb.Fatal(err) }
	for _, opt := range opts {
		opt(d)
	}
	d.built = d.build(b)
	d.engine = d.openEngine()
	d.expand()
	d.check()
	d.open()
	return d
}

// build makes the plan of a topology. It fails the test if that is invalid.
func (d *Driver) build(b *topology.Builder) *task.Plan {
	d.tb.Helper()
	t, err := b.Build()
	if err != nil {
		d.tb.Fatal(err)
	}
	plan, err := t.Plan().DeadLetters(app, d.policies.DeadLetterTopic)
	if err != nil {
		d.tb.Fatal(err)
	}
	return plan
}

// check does what is done at start, before there are tasks.
func (d *Driver) check() {
	d.tb.Helper()
	if err := d.built.Check(d.tb.Context(), app); err != nil {
		d.onError(err)
	}
}

// external returns a topic that the test writes to. If it is new, and the topology
// reads such topics by a pattern, every task is started again with it.
func (d *Driver) external(name string) *log {
	d.tb.Helper()
	_, known := d.topics[name]
	l := d.topic(name)
	l.external = true
	if !known && d.built.Patterned() {
		d.expand()
		d.Restart(KeepState)
	}
	return l
}

// expand makes the plan of the topics that there are.
func (d *Driver) expand() {
	d.tb.Helper()
	d.plan, _ = d.built.Expand(app, slices.Collect(maps.Keys(d.topics)))
	if err := d.plan.Twice(app); err != nil {
		d.onError(fmt.Errorf("topologytest: %w", err))
	}
}

// Now is the driver's clock.
func (d *Driver) Now() int64 { return d.now }

// Advance moves the clock and fires wall-clock timers. It may fire a timer
// several times only if it is advanced several times.
func (d *Driver) Advance(by time.Duration) {
	d.tb.Helper()
	d.now += by.Milliseconds()
	d.each(func(t *task.Task) error { return t.AdvanceWallClock(d.now) })
	d.run()
	d.Commit()
}

// Send writes one record to a source topic, with the driver's time.
func (d *Driver) Send[K, V any](to topology.Topic[K, V], key K, value V) {
	d.tb.Helper()
	d.Pipe(to, topology.Record[K, V]{Key: key, Value: value, Time: time.UnixMilli(d.now)})
}

// Pipe writes one record to a source topic and processes all that comes of it. A
// record without a time gets the driver's.
func (d *Driver) Pipe[K, V any](to topology.Topic[K, V], r topology.Record[K, V]) {
	d.tb.Helper()
	d.write(d.encode(to, r))
	d.processed()
}

func (d *Driver) encode[K, V any](to topology.Topic[K, V], r topology.Record[K, V]) task.Output {
	d.tb.Helper()
	key, value, headers, err := to.Encode(r)
	if err != nil {
		d.tb.Fatal(err)
	}
	if r.Time.IsZero() {
		r.Time = time.UnixMilli(d.now)
	}
	o := task.Output{Topic: to.Name(), Partition: task.ByKey, Key: key, Value: value, Time: r.Time.UnixMilli(), Headers: headers}
	if key != nil {
		o.Partition = murmur.Partition(to.Route(key), d.partitions)
	}
	return o
}

// Queue writes one record to a source topic and processes nothing yet: several records
// may wait, as they do after a pause, and the task takes them by their timestamps at
// the next Pipe, Send or Process. A record without a time gets the driver's.
func (d *Driver) Queue[K, V any](to topology.Topic[K, V], r topology.Record[K, V]) {
	d.tb.Helper()
	d.write(d.encode(to, r))
	d.since++
}

// Process processes what waits, and commits if it is time to.
func (d *Driver) Process() {
	d.tb.Helper()
	if d.run(); d.since >= d.every {
		d.Commit()
	}
}

// PipeRaw writes one undecoded record to a topic. A global table has it at once.
func (d *Driver) PipeRaw(topic string, m task.Message) {
	d.tb.Helper()
	d.write(task.Output{Topic: topic, Partition: task.ByKey, Key: m.Key, Value: m.Value, Time: m.Time, Headers: m.Headers})
	d.processed()
}

// processed processes a record that was written.
func (d *Driver) processed() {
	d.tb.Helper()
	d.run()
	if d.since++; d.since >= d.every {
		d.Commit()
	}
}

func (d *Driver) write(o task.Output) {
	d.tb.Helper()
	d.external(o.Topic)
	d.deliver(o)
	d.follow()
}

// Commit commits what was processed since the last commit, and what comes of that.
func (d *Driver) Commit() {
	d.tb.Helper()
	d.since = 0
	for busy := true; busy; {
		d.run() // what a crash left undone, too
		busy = false
		d.each(func(t *task.Task) error {
			if !t.Touched() {
				return nil
			}
			busy = true
			if err := t.Flush(nil); err != nil {
				return err
			}
			d.drain(t)
			d.settle(t)
			return nil
		})
	}
	for _, l := range d.topics {
		l.commit()
	}
	d.follow()
}

// settle makes what a task did permanent, as a committed transaction would.
func (d *Driver) settle(t *task.Task) {
	for _, p := range t.Points() {
		d.points[place{p.Topic, t.Partition()}] = p
	}
	for _, s := range t.Stores() {
		switch {
		case s.Topic != "":
			s.State.SetPosition(engine.Position{Offset: int64(len(d.topic(s.Topic).partition(t.Partition())))})
		case s.Input >= 0:
			s.State.SetPosition(engine.Position{Offset: d.points[place{s.Source.Resolve(app), t.Partition()}].Offset})
		}
	}
	t.Commit()
}

// Take returns, and forgets, the committed records of a topic, in the order they
// were written; of several partitions, one after the other.
func (d *Driver) Take[K, V any](from topology.Topic[K, V]) (rs []topology.Record[K, V]) {
	d.tb.Helper()
	l := d.topic(from.Name())
	for p := range d.partitions {
		for _, m := range l.take(p) {
			r, err := from.Decode(m.Key, m.Value, m.Headers...)
			if err != nil {
				d.tb.Fatalf("%s[%d]@%d: %v", from.Name(), p, m.Offset, err)
			}
			r.Time = time.UnixMilli(m.Time).UTC()
			rs = append(rs, r)
		}
	}
	return rs
}

// OpenStore lets a store descriptor open its store in a driver of one partition:
// counts.Open(d).
func (d *Driver) OpenStore(name string) *state.Store {
	d.tb.Helper()
	return d.store(name, 0)
}

// ReadStore is OpenStore; it serves store.KV.Reader.
func (d *Driver) ReadStore(name string) *state.Store {
	d.tb.Helper()
	return d.store(name, 0)
}

// Partition is the scope of one partition's stores, for a driver of several.
func (d *Driver) Partition(p int32) Scope { return Scope{d, p} }

// A Scope opens the stores of one partition.
type Scope struct {
	d *Driver
	p int32
}

// OpenStore returns the bytes of a store; it serves store.KV.Open.
func (s Scope) OpenStore(name string) *state.Store { return s.d.store(name, s.p) }

// ReadStore is OpenStore; it serves store.KV.Reader.
func (s Scope) ReadStore(name string) *state.Store { return s.d.store(name, s.p) }

// Now is Driver.Now.
func (s Scope) Now() int64 { return s.d.now }

// Late serves store.WindowStore.Open.
func (s Scope) Late() {}

// Changelog serves store.KV.Open.
func (s Scope) Changelog(store string) string { return s.d.Changelog(store) }

// Changelog serves store.KV.Open.
func (d *Driver) Changelog(store string) string {
	for _, sub := range d.plan.Subs {
		for _, s := range sub.Stores {
			if s.Name == store {
				return s.Restored(app)
			}
		}
	}
	return task.Changelog(app, store)
}

// Late serves store.WindowStore.Open.
func (d *Driver) Late() {}

// OpenGlobal returns the bytes of a global table; it serves topology.GlobalTable.Open.
func (d *Driver) OpenGlobal(name string) *state.Shared {
	d.tb.Helper()
	if d.globals[name] == nil {
		d.tb.Fatalf("the topology has no global table %q", name)
	}
	return d.globals[name].Shared
}

func (d *Driver) store(name string, p int32) *state.Store {
	d.tb.Helper()
	for _, tasks := range d.tasks {
		for _, s := range tasks[p].Stores() {
			if s.Name == name {
				return s.State
			}
		}
	}
	d.tb.Fatalf("the topology has no store %q", name)
	return nil
}

// Dropped returns how many records were dropped, by reason.
func (d *Driver) Dropped() map[string]int64 {
	out := map[string]int64{}
	d.left.Each(func(why task.Drop, n int64) { out[why.String()] += n })
	d.left = task.Drops{}
	d.each(func(t *task.Task) error {
		drops := t.TakeDrops()
		drops.Each(func(why task.Drop, n int64) { out[why.String()] += n })
		return nil
	})
	return out
}

func (d *Driver) each(fn func(*task.Task) error) {
	d.tb.Helper()
	for _, tasks := range d.tasks {
		for _, t := range tasks {
			if err := fn(t); err != nil {
				d.onError(err)
			}
		}
	}
}

// run processes until every queue is empty.
func (d *Driver) run() {
	d.tb.Helper()
	for busy := true; busy; {
		busy = false
		d.each(func(t *task.Task) error {
			if d.waits(t) {
				return nil
			}
			did, err := t.Process()
			busy = len(d.drain(t)) > 0 || did || busy
			return err
		})
	}
}

// waits reports whether what is there waits for an input that is empty.
func (d *Driver) waits(t *task.Task) bool {
	if d.maxIdle < 0 {
		return false
	}
	for source := range t.Sub().Sources {
		if t.Queued(source) > 0 {
			ready, _ := t.Ready(d.now)
			return !ready
		}
	}
	return true
}

// drain moves what t has written to its topics.
func (d *Driver) drain(t *task.Task) []task.Output {
	out := t.TakeOutput()
	for _, o := range out {
		d.deliver(o)
	}
	return out
}

// deliver appends a record to its topic, and hands it to the tasks that read it.
func (d *Driver) deliver(o task.Output) {
	p := o.Partition
	if p == task.ByKey {
		if p = 0; o.Key != nil {
			p = murmur.Partition(o.Key, d.partitions)
		}
	}
	m := d.topic(o.Topic).append(p, o)
	for _, tasks := range d.tasks {
		if source, ok := tasks[p].Source(o.Topic); ok {
			tasks[p].Enqueue(source, []task.Message{m}, m.Offset+1, m.Offset+1)
		}
	}
}

func (d *Driver) env() task.Env {
	globals := map[string]*state.Shared{}
	for name, g := range d.globals {
		globals[name] = g.Shared
	}
	return task.Env{
		App: app, Policies: d.policies, WallClock: d.now, MaxTaskIdle: d.maxIdle,
		Partitions: func(string) int32 { return d.partitions }, Globals: globals,
	}
}

// open makes the tasks: their stores are restored from the changelogs, and their
// inputs go on from what was committed.
func (d *Driver) open() {
	d.tb.Helper()
	d.tasks = nil
	if err := d.openGlobals(); err != nil {
		d.globals = nil
		d.onError(fmt.Errorf("topologytest: %w", err))
		return
	}
	for _, sub := range d.plan.Subs {
		var tasks []*task.Task
		for p := range d.partitions {
			t, err := task.New(sub, p, d.env(), func(s task.Store) (*state.Store, error) {
				return d.restore(fmt.Sprintf("%d_%d", sub.ID, p), s, p)
			})
			if err == nil {
				err = d.resume(t)
			}
			if err != nil {
				d.onError(fmt.Errorf("topologytest: %w", err))
				d.tasks = nil
				return
			}
			tasks = append(tasks, t)
		}
		d.tasks = append(d.tasks, tasks)
	}
}
