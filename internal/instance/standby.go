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
// One goroutine, run, follows. What is wanted changes under it; it begins anew then,
// from the positions it has come to.
type follower struct {
	in     *Instance
	cl     *kgo.Client
	reader replayer
	ask    func()                   // for a rebalance
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
	f := &follower{in: in, copies: map[assign.Task]*replica{}, ask: func() { in.member.Rebalance() }}
	f.mu.wanted, f.mu.busy, f.mu.stale = map[assign.Task]bool{}, map[assign.Task]bool{}, map[assign.Task]bool{}
	f.mu.told, f.mu.changed, f.mu.cancel = map[assign.Task]time.Time{}, make(chan struct{}), func() {}
	var err error
	if f.cl, err = kgo.NewClient(in.clientOptions("standby")...); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	in.clients = append(in.clients, f.cl)
	f.reader = changelog.NewReader(f.cl, in.readerConfig())
	return f, nil
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

// round follows what is wanted until that changes.
func (f *follower) round(ctx context.Context) error {
	ctx, wanted := f.begin(ctx)
	defer f.end()
	for _, t := range slices.SortedFunc(maps.Keys(wanted), assign.Task.Compare) {
		if f.copies[t] != nil {
			continue
		}
		r, err := f.open(ctx, t)
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

// open opens the stores of a task as they are in the engine, for following.
func (f *follower) open(ctx context.Context, t assign.Task) (*replica, error) {
	s := &slot{task: t, sub: f.in.subOf(t), ctx: ctx}
	if s.sub == nil {
		return nil, errors.New("the topology has none such")
	}
	if err := f.in.openStores(s); err != nil {
		return nil, err
	}
	inputs := f.in.inputs(s)
	committed, err := f.in.logs.FetchStable(ctx, inputs)
	if err != nil {
		return nil, fmt.Errorf("committed offsets: %w", err)
	}
	rs, err := f.in.replays(s, map[kafka.TopicPartition]start{})
	if err != nil {
		return nil, err
	}
	for _, r := range rs.all() {
		r.follows, r.hasOffsets = true, len(committed) > 0
		if err := r.start(); err != nil {
			return nil, err
		}
	}
	return &replica{replays: rs}, nil
}

// follow reads the changelogs of all copies until ctx ends or one of them has to start
// over.
func (f *follower) follow(ctx context.Context, wanted map[assign.Task]bool) error {
	type copyOf struct {
		task assign.Task
		*replay
	}
	parts := map[kafka.TopicPartition]copyOf{}
	var targets []changelog.Target
	for t, c := range f.copies {
		for tp, r := range c.replays.all() {
			parts[tp] = copyOf{t, r}
			targets = append(targets, changelog.Target{TopicPartition: tp, TopicID: r.pos.Topic, From: r.pos.Offset, Until: changelog.Forever})
		}
	}
	for _, part := range parts {
		part.gathers = f.in.cfg.followed(len(parts))
	}
	if len(targets) == 0 {
		<-ctx.Done()
		return nil
	}
	var mu sync.Mutex // partitions of different leaders come at the same time
	err := f.reader.Run(ctx, targets, func(b changelog.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		part := parts[b.TopicPartition]
		if err := part.apply(b); err != nil {
			return err
		}
		if part.end = b.End; wanted[part.task] {
			return f.warm(part.task)
		}
		return nil
	})
	if tp, lost := lostGround(err); lost {
		f.in.log.Info("local state is not used", "changelog", tp, "why", err)
		delete(f.copies, parts[tp].task) // opened anew, it finds that out by itself
		return nil
	}
	for _, tp := range slices.SortedFunc(maps.Keys(parts), kafka.TopicPartition.Compare) {
		if e := parts[tp].write(false); e != nil {
			return e
		}
	}
	return interrupted(ctx, err)
}

// warm asks for the task if its copy lacks no more than it may, and asks again, now
// and then, until it gets it.
func (f *follower) warm(t assign.Task) error {
	f.mu.Lock()
	told := f.mu.told[t]
	f.mu.Unlock()
	if time.Since(told) < warmInterval {
		return nil
	}
	for _, r := range f.copies[t].replays.all() {
		if r.end-r.pos.Offset > f.in.cfg.Replicas.AcceptableLag {
			return nil
		}
	}
	for _, r := range f.copies[t].replays.all() {
		if err := r.write(false); err != nil { // what is reported must be there
			return err
		}
	}
	f.mu.Lock()
	f.mu.told[t] = time.Now()
	f.mu.Unlock()
	f.in.log.Info("caught up with the state of a task that is to move here", "task", t)
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
			topic, own, ok := spec.Changelog(in.cfg.App)
			if !ok || !own {
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
