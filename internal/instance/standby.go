package instance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/state"
)

// A follower keeps copies of tasks' state up to their changelogs, for as long as the
// group wants them here. It writes straight to the engine; the task that is opened
// on it later replays what is then missing.
//
// A source topic that serves as a changelog is followed to where the group has
// committed it, and no further: the table must not be ahead of what it is joined with.
// How far that is the group is asked now and then.
//
// One goroutine, run, follows. What is wanted changes under it; it begins anew then,
// from the positions it has come to.
type follower struct {
	in     *Instance
	reader replayer
	ask    func()                   // for a rebalance
	rest   func(context.Context)    // until it ends
	copies map[assign.Task]*replica // run's own

	mu struct {
		sync.Mutex
		wanted  map[assign.Task]bool      // true: it warms up
		busy    map[assign.Task]bool      // what run may be writing to
		stale   map[assign.Task]bool      // what run has to open anew
		told    map[assign.Task]time.Time // when the group was last told that the copy is warm
		changed chan struct{}             // closed when busy shrinks, and made anew
		cancel  context.CancelFunc        // of what run does now
	}
}

// A replica is the copy of one task's state.
type replica struct{ replays replays }

func (in *Instance) newFollower() (*follower, error) {
	cl, err := kgo.NewClient(in.clientOptions("standby")...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	in.clients = append(in.clients, cl)
	return in.followerWith(changelog.NewReader(cl, in.readerConfig()), func() { in.member.Rebalance() }), nil
}

// followerWith is one that follows nothing yet.
func (in *Instance) followerWith(reader replayer, ask func()) *follower {
	f := &follower{in: in, reader: reader, ask: ask, copies: map[assign.Task]*replica{}}
	f.mu.wanted, f.mu.busy, f.mu.stale = map[assign.Task]bool{}, map[assign.Task]bool{}, map[assign.Task]bool{}
	f.mu.told, f.mu.changed, f.mu.cancel = map[assign.Task]time.Time{}, make(chan struct{}), func() {}
	f.rest = func(ctx context.Context) { <-ctx.Done() }
	return f
}

// Follow sets what is to be followed. It does not wait.
func (in *Instance) Follow(tasks, warming []assign.Task) {
	wanted := map[assign.Task]bool{}
	for _, t := range tasks {
		wanted[t] = slices.Contains(warming, t)
	}
	f := in.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	if maps.Equal(wanted, f.mu.wanted) {
		return
	}
	if len(tasks) > 0 {
		in.log.Info("following the state of tasks", "tasks", tasks, "warming", warming)
	}
	f.mu.wanted = wanted
	f.mu.cancel()
}

// drop ends the following of a task, and waits until nothing is written for it.
func (f *follower) drop(ctx context.Context, t assign.Task) error {
	for {
		f.mu.Lock()
		if _, ok := f.mu.wanted[t]; ok {
			delete(f.mu.wanted, t)
			f.mu.cancel()
		}
		f.mu.stale[t] = true
		busy, changed := f.mu.busy[t], f.mu.changed
		f.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.round(ctx)
		switch _, broken := errors.AsType[*state.Error](err); {
		case ctx.Err() != nil:
			return nil
		case broken:
			return err
		case err == nil:
			continue
		}
		f.in.log.Warn("standby copies are not followed for now", "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// round follows what is wanted until that changes, or until it is time to ask how far
// sources are to be followed.
func (f *follower) round(ctx context.Context) error {
	ctx, wanted := f.begin(ctx)
	defer f.end()
	tasks := slices.SortedFunc(maps.Keys(wanted), assign.Task.Compare)
	asked := time.Now()
	starts, err := f.starts(ctx, tasks)
	if err != nil {
		return interrupted(ctx, err)
	}
	for _, t := range tasks {
		if c := f.copies[t]; c != nil && c.advance(starts, asked) {
			continue
		}
		r, err := f.open(ctx, t, starts)
		if err != nil {
			return interrupted(ctx, fmt.Errorf("task %s: %w", t, err))
		}
		f.copies[t] = r
	}
	return f.follow(ctx, wanted)
}

// interrupted is err, unless it is only that something else is wanted now.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// begin takes up what is wanted.
func (f *follower) begin(ctx context.Context) (context.Context, map[assign.Task]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, f.mu.cancel = context.WithCancel(ctx)
	maps.DeleteFunc(f.copies, func(t assign.Task, _ *replica) bool {
		_, still := f.mu.wanted[t]
		return !still || f.mu.stale[t]
	})
	clear(f.mu.stale)
	for t := range f.mu.wanted {
		f.mu.busy[t] = true
	}
	return ctx, maps.Clone(f.mu.wanted)
}

// end says that nothing is written any more.
func (f *follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.cancel()
	if len(f.mu.busy) > 0 {
		clear(f.mu.busy)
		close(f.mu.changed)
		f.mu.changed = make(chan struct{})
	}
}

// starts are where the group has come to with the sources that serve as changelogs of
// tasks: the start of the log where it has committed nothing.
func (f *follower) starts(ctx context.Context, tasks []assign.Task) (map[kafka.TopicPartition]start, error) {
	starts := map[kafka.TopicPartition]start{}
	for _, t := range tasks {
		s := &slot{task: t, sub: f.in.subOf(t)}
		if s.sub == nil {
			continue
		}
		inputs := s.inputs()
		for _, spec := range s.sub.Stores {
			topic, own, _ := spec.Changelog(f.in.cfg.App)
			tp := kafka.TopicPartition{Topic: topic, Partition: t.Partition}
			if !own && slices.Contains(inputs, tp) {
				starts[tp] = start{}
			}
		}
	}
	if len(starts) == 0 {
		return starts, nil
	}
	committed, err := f.in.logs.FetchCommitted(ctx, slices.SortedFunc(maps.Keys(starts), kafka.TopicPartition.Compare))
	if err != nil {
		return nil, fmt.Errorf("committed offsets: %w", err)
	}
	for tp, c := range committed {
		starts[tp] = start{offset: c.Offset, committed: true}
	}
	return starts, nil
}

// advance lets a copy be followed as far as the group had come when it was asked. It says
// no if the group has been set back behind what the copy has.
func (c *replica) advance(starts map[kafka.TopicPartition]start, asked time.Time) bool {
	for tp, r := range c.replays.all() {
		if r.own {
			continue
		}
		if r.end = max(starts[tp].offset, r.begin); r.end < r.next {
			return false
		}
		if r.next >= r.tide.end {
			r.tide = tide{r.end, asked}
		}
	}
	return true
}

// open opens the stores of a task as they are in the engine, for following.
func (f *follower) open(ctx context.Context, t assign.Task, starts map[kafka.TopicPartition]start) (*replica, error) {
	s := &slot{task: t, sub: f.in.subOf(t), ctx: ctx}
	if s.sub == nil {
		return nil, errors.New("the topology has none such")
	}
	if err := f.in.openStores(s); err != nil {
		return nil, err
	}
	rs, err := f.in.replays(s, starts)
	if err != nil {
		return nil, err
	}
	for _, r := range rs.all() {
		r.follows = true
		if err := r.start(); err != nil {
			return nil, err
		}
	}
	return &replica{replays: rs}, nil
}

// follow reads the changelogs of all copies until ctx ends, one of them has to start
// over, or sources may be followed further.
func (f *follower) follow(ctx context.Context, wanted map[assign.Task]bool) error {
	all, of, stores, limited := replays{}, map[kafka.TopicPartition]assign.Task{}, 0, false
	for t, c := range f.copies {
		for tp, rs := range c.replays {
			all[tp], of[tp] = rs, t
			stores += len(rs)
		}
	}
	for _, r := range all.all() {
		r.from, r.gathers = r.next, f.in.cfg.followed(stores)
		limited = limited || !r.own
	}
	if limited { // and the limits move
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, sourceInterval)
		defer cancel()
	}
	turn := make(chan struct{}, 1) // partitions of different leaders come at the same time
	var pace pace
	var ready gathering
	err := f.reader.Run(ctx, all.targets(), func(b changelog.Batch) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		began := time.Now()
		if err := all.apply(b); err != nil {
			return err
		}
		if t := of[b.TopicPartition]; wanted[t] {
			if err := f.warm(&ready, t, wanted); err != nil {
				return err
			}
		}
		pace.rest(ctx, time.Since(began))
		return nil
	})
	if tp, lost := lostGround(err); lost {
		f.in.log.Info("local state is not used", "changelog", tp, "why", err)
		delete(f.copies, of[tp])
		for _, r := range all[tp] {
			if err := r.store.Wipe(); err != nil { // opened anew, it starts over
				return err
			}
		}
		return nil
	}
	for _, r := range all.all() {
		if e := r.settle(); e != nil {
			return e
		}
	}
	if err == nil { // there is no more to follow for now
		if err := f.tell(&ready); err != nil {
			return err
		}
		f.rest(ctx)
	}
	return interrupted(ctx, err)
}

// A pace makes copying rest as long as it works: nobody waits for it, and those who process
// need the CPUs. Where these are taken it takes longer, and rests longer.
type pace struct{ worked time.Duration }

// rest takes note of work, and rests if that has become some.
func (p *pace) rest(ctx context.Context, worked time.Duration) {
	if p.worked += worked; p.worked < paceStep {
		return
	}
	select {
	case <-time.After(min(p.worked, paceMost)):
	case <-ctx.Done():
	}
	p.worked = 0
}

const (
	paceStep = 5 * time.Millisecond
	paceMost = time.Second
)

// sourceInterval is how often the group is asked where it has come to with sources that
// serve as changelogs: who takes a task over reads what was processed since.
const sourceInterval = 10 * time.Second

// A gathering is of tasks whose copies are warm, and that are to be asked for.
type gathering struct {
	tasks []assign.Task
	since time.Time
}

// together is how long a task that is warm waits for others to be so: each request is a
// rebalance.
const together = 500 * time.Millisecond

// warm asks for the task if its copy lacks no more than it may, and asks again, now
// and then, until it gets it.
func (f *follower) warm(g *gathering, t assign.Task, wanted map[assign.Task]bool) error {
	if !slices.Contains(g.tasks, t) {
		if f.toldOf(t) || !f.lacksLittle(t) {
			return nil
		}
		if len(g.tasks) == 0 {
			g.since = time.Now()
		}
		g.tasks = append(g.tasks, t)
	}
	if time.Since(g.since) < together {
		for t, warms := range wanted {
			if warms && !slices.Contains(g.tasks, t) && !f.toldOf(t) {
				return nil
			}
		}
	}
	return f.tell(g)
}

// toldOf reports whether the group has been asked for a task a short time ago.
func (f *follower) toldOf(t assign.Task) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.mu.told[t]) < warmInterval
}

// lacksLittle reports whether the copy of a task lacks no more than it may.
func (f *follower) lacksLittle(t assign.Task) bool {
	for _, r := range f.copies[t].replays.all() {
		if r.end-r.pos.Offset > f.in.cfg.Replicas.AcceptableLag {
			return false
		}
	}
	return true
}

// tell asks for the tasks that have gathered.
func (f *follower) tell(g *gathering) error {
	if len(g.tasks) == 0 {
		return nil
	}
	for _, t := range g.tasks {
		for _, r := range f.copies[t].replays.all() {
			if err := r.write(false); err != nil { // what is reported must be there
				return err
			}
		}
		f.in.log.Info("caught up with the state of a task that is to move here", "task", t)
	}
	f.mu.Lock()
	for _, t := range g.tasks {
		f.mu.told[t] = time.Now()
	}
	f.mu.Unlock()
	g.tasks = nil
	f.ask()
	return nil
}

// warmInterval is how often the group is asked for a task: the leader may judge by
// what it knew a moment ago.
const warmInterval = 5 * time.Second

// held says how much of tasks' state the engine has, for the leader of the group to
// compare.
func (in *Instance) held() map[assign.Task]int64 {
	out := map[assign.Task]int64{}
	for _, sub := range in.layout.Subs {
		for _, spec := range sub.Stores {
			topic, _, ok := spec.Changelog(in.cfg.App)
			if !ok {
				continue
			}
			for p := range sub.Partitions {
				pos, ok, err := in.engine.Position(engine.Namespace{Store: spec.Name, Partition: p})
				if err == nil && ok && pos.Topic == in.topics[topic].ID {
					out[assign.Task{Sub: sub.ID, Partition: p}] += pos.Offset
				}
			}
		}
	}
	return out
}
