package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/identity"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/sim"
	"github.com/leatstream/leat/internal/worker"
)

// A simProcess is an Instance whose goroutines are threads of the simulator. What it
// has of its own is what waits: how a worker gets its commands, how slots are opened
// and taken, in the order in which assignment.go does it. The rest is the code that
// runs in production.
type simProcess struct {
	w       *simWorld
	place   *simPlace
	host    *sim.Host
	in      *Instance
	client  *sim.Client
	workers []*simWorker
	slots   map[assign.Task]*simSlot
	feeds   []*simFeed

	protocol   *member.Protocol
	id         string // of the member
	generation int32
	rejoin     bool // somebody asks for a rebalance
	leaving    bool
	left       bool
	stopping   bool
	wakes      time.Time // when it was paused
}

type simWorker struct {
	worker.Steps
	kafka    *sim.Kafka
	commands []*simCommand
	wake     time.Time
	stopped  bool
}

type simCommand struct {
	do   func(context.Context) error
	done bool
}

type simSlot struct {
	*slot
	worker  *simWorker
	opening bool
}

type simFeed struct {
	*fetch.Feed
	removed bool
}

// start starts a process at its place.
func (w *simWorld) startProcess(pl *simPlace) *simProcess {
	pl.lives++
	p := &simProcess{
		w: w, place: pl, host: &sim.Host{Name: fmt.Sprintf("%s.%d", pl.name, pl.lives)},
		slots: map[assign.Task]*simSlot{}, generation: -1, client: &sim.Client{S: w.s},
	}
	pl.process = p
	w.s.Log("%s starts", p.host.Name)
	p.in = New(Config{
		App: simApp, Plan: w.topology.plan, ExactlyOnce: true, Workers: w.workers, MemoryBudget: 8 << 20, MaxRecord: 1 << 20,
		MaxTaskIdle: simIdle, Policies: w.topology.policies, Log: slog.New(slog.DiscardHandler), Replicas: w.replicas(),
	})
	in := p.in
	in.engine, in.logs, in.layout, in.topics = pl.disk, p.client, w.layout, w.topics
	in.tombstones = map[string]time.Duration{}
	for topic := range w.topics {
		in.tombstones[topic] = keepsDeletions(nil) // nothing is ever compacted: else disks that lack something were wiped
	}
	in.follower = in.followerWith(p.client, func() { p.rejoin = true })
	in.follower.rest = func(ctx context.Context) { _ = w.s.Wait(ctx, func() bool { return false }) }
	in.cache.Store(w.cache)
	in.member, _ = member.New(member.Config{
		Group: simApp, Instance: pl.name, Static: true, Workers: w.workers, Fingerprint: w.topology.plan.Fingerprint,
		Subs: in.memberSubs(), Replicas: in.cfg.Replicas, Held: in.held, Weights: w.weights,
	})
	p.protocol = in.member.Protocol(p)
	w.s.Go(p.host, "start", p.begin)
	return p
}

// begin does what Instance.start does, in its order.
func (p *simProcess) begin() {
	if p.client.Fence(p.in.ctx, p.transactionalIDs(member.Fence{Instance: p.place.name, Workers: p.w.workers})) != nil {
		return
	}
	for i := range p.w.workers {
		w := &simWorker{kafka: &sim.Kafka{Client: *p.client, Host: p.host, ID: identity.TransactionalID(simApp, p.place.name, i)}}
		w.Steps = worker.Steps{Worker: worker.New(worker.Config{
			Kafka: w.kafka, TransactionalID: w.kafka.ID, TransactionTimeout: p.w.s.Broker.TransactionTimeout, CommitInterval: 100 * time.Millisecond,
			FlushInterval: p.w.flushInterval, FlushBytes: p.w.flushBytes, MaxRecord: 1 << 20, Engine: p.in.engine, CacheBytes: &p.in.cache,
			Owner: p, Log: p.in.log, Reopen: p.reopen,
		})}
		p.workers = append(p.workers, w)
		p.in.workers = append(p.in.workers, w.Worker)
		p.w.s.Go(p.host, fmt.Sprint("worker ", i), func() { p.work(w) })
	}
	p.w.s.Go(p.host, "standby", p.follow)
	p.w.s.Go(p.host, "member", p.belong)
}

func (p *simProcess) transactionalIDs(f member.Fence) (ids []string) {
	for i := range f.Workers {
		ids = append(ids, identity.TransactionalID(simApp, f.Instance, i))
	}
	return ids
}

// fail ends the process because of an error. Only one is to be expected: another
// process has taken its place.
func (p *simProcess) fail(err error) {
	if p.in.ctx.Err() != nil {
		return
	}
	if !expected(err) {
		p.w.s.Fail("%s stops: %v", p.host.Name, err)
	}
	p.w.crash(p)
}

// work is the worker's goroutine.
func (p *simProcess) work(w *simWorker) {
	ctx := p.in.ctx
	err := w.Open(ctx)
	for err == nil {
		p.w.s.Until(w.wake, func() bool { return len(w.commands) > 0 || !w.Inbox.Empty() })
		for len(w.commands) > 0 && err == nil {
			c := w.commands[0]
			w.commands = w.commands[1:]
			err = c.do(ctx)
			c.done = true
		}
		var idle time.Duration
		if err == nil {
			idle, err = w.Turn(ctx)
		}
		w.wake = time.Now().Add(idle)
	}
	if w.stopped = true; !errors.Is(err, errSimStopped) {
		p.fail(err)
	}
}

// command has a worker do something between two turns.
func (p *simProcess) command(ctx context.Context, w *simWorker, do func(context.Context) error) error {
	c := &simCommand{do: do}
	w.commands = append(w.commands, c)
	return p.w.s.Wait(ctx, func() bool { return c.done || w.stopped })
}

// Assigned implements member.Handler.
func (p *simProcess) Assigned(_ context.Context, tasks []assign.Task, departed []member.Fence) {
	p.w.s.Log("%s is assigned %v; departed: %v", p.host.Name, tasks, departed)
	fenced := len(departed) == 0
	var slots []*simSlot
	for _, t := range tasks {
		claim, ok := p.in.member.Claim(t)
		if p.stopping || p.slots[t] != nil || !ok {
			continue
		}
		w := p.workers[p.w.s.Rand.IntN(len(p.workers))]
		s := &simSlot{slot: &slot{task: t, claim: claim, worker: w.Worker, sub: p.in.subOf(t)}, worker: w}
		s.ctx, s.cancel = context.WithCancel(p.in.ctx)
		p.slots[t] = s
		slots = append(slots, s)
	}
	if len(slots) > 0 && !fenced {
		p.w.s.Go(p.host, "fence", func() {
			for _, f := range departed {
				if p.client.Fence(p.in.ctx, p.transactionalIDs(f)) != nil {
					return
				}
			}
			fenced = true
		})
	}
	for _, s := range slots {
		p.open(s, nil, &fenced)
	}
}

// Revoked implements member.Handler.
func (p *simProcess) Revoked(_ context.Context, tasks []assign.Task) {
	p.w.s.Log("%s gives up %v", p.host.Name, tasks)
	p.take(tasks)
}

// Lost implements member.Handler.
func (p *simProcess) Lost(_ context.Context, tasks []assign.Task) {
	p.w.s.Log("%s has lost %v", p.host.Name, tasks)
	p.take(tasks)
}

// Follow implements member.Handler.
func (p *simProcess) Follow(tasks, warming []assign.Task) { p.in.Follow(tasks, warming) }

// Failed implements member.Handler.
func (p *simProcess) Failed(err error) { p.fail(err) }

// take is Instance.take.
func (p *simProcess) take(tasks []assign.Task) {
	ctx := p.in.ctx
	var slots []*simSlot
	for _, t := range tasks {
		if s := p.slots[t]; s != nil {
			s.gone = true
			delete(p.slots, t)
			slots = append(slots, s)
			s.cancel()
		}
	}
	for _, s := range slots {
		if p.w.s.Wait(ctx, func() bool { return !s.opening }) != nil {
			return
		}
		if s.run != nil {
			p.unfeed(s.run)
		}
	}
	for _, w := range p.workers {
		var runs []*worker.Run
		for _, s := range slots {
			if s.worker == w && s.run != nil {
				runs = append(runs, s.run)
			}
		}
		if len(runs) > 0 && p.command(ctx, w, func(ctx context.Context) error { return w.Release(ctx, runs...) }) != nil {
			return
		}
	}
}

// open is Instance.open.
func (p *simProcess) open(s *simSlot, old *worker.Run, fenced *bool) {
	s.opening = true
	p.w.s.Go(p.host, "opening of "+s.task.String(), func() {
		err := p.opened(s, old, fenced)
		s.opening = false
		if err != nil && s.ctx.Err() == nil && !p.stopping {
			p.fail(fmt.Errorf("task %s: %w", s.task, err))
		}
	})
}

// opened is Instance.opened.
func (p *simProcess) opened(s *simSlot, old *worker.Run, fenced *bool) error {
	if old != nil {
		p.unfeed(old)
		if p.w.s.Sleep(s.ctx, backoff(s.failures)) != nil {
			return nil
		}
	}
	if err := p.w.s.Wait(s.ctx, func() bool { return *fenced }); err != nil {
		return nil
	}
	if s.sub.Stateful() && p.dropCopy(s.ctx, s.task) != nil {
		return nil
	}
	run, err := p.in.restore(s.slot, p.client)
	if err != nil {
		return err
	}
	p.w.s.Log("%s has restored %v", p.host.Name, s.task)
	if err := p.command(s.ctx, s.worker, func(ctx context.Context) error { return s.worker.Add(ctx, run) }); err != nil {
		return err
	}
	s.run = run
	for _, fd := range present(run) {
		p.feed(s.ctx, fd)
	}
	return nil
}

// reopen is Instance.reopen.
func (p *simProcess) reopen(runs []*worker.Run, cause error) {
	p.w.s.Log("%s: a transaction came to nothing: %v", p.host.Name, cause)
	p.w.retries++
	for _, run := range runs {
		s := p.slots[run.Tag.(*slot).task]
		if s == nil || s.slot != run.Tag.(*slot) || p.stopping {
			continue
		}
		fenced := true
		s.failures++
		s.run = nil
		p.open(s, run, &fenced)
	}
}

// feed reads a partition for a task.
func (p *simProcess) feed(ctx context.Context, fd *fetch.Feed) {
	f := &simFeed{Feed: fd}
	p.feeds = append(p.feeds, f)
	tp := kafka.TopicPartition{Topic: fd.Topic, Partition: fd.Partition}
	part := p.w.s.Broker.Partition(tp)
	p.w.s.Go(p.host, fmt.Sprint("feed of ", tp), func() {
		for at := fd.From; ; {
			p.w.s.Until(time.Time{}, func() bool { return f.removed || part.Stable() > at })
			if f.removed {
				return
			}
			got, err := p.client.Fetch(p.in.ctx, tp, at)
			if err != nil || f.removed {
				return
			}
			if got.After > at {
				fd.To.Put(fetch.Batch{Feed: fd, Records: records(tp, got.Records), After: got.After, End: got.End})
			}
			at = got.After
		}
	})
}

func records(tp kafka.TopicPartition, from []sim.Record) (out []*kgo.Record) {
	for _, r := range from {
		k := &kgo.Record{Topic: tp.Topic, Partition: tp.Partition, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Time), Offset: r.Offset, LeaderEpoch: 0}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader(h))
		}
		out = append(out, k)
	}
	return out
}

func (p *simProcess) unfeed(run *worker.Run) {
	for _, f := range p.feeds {
		for _, fd := range present(run) {
			f.removed = f.removed || f.Feed == fd
		}
	}
}

// Identity implements worker.Owner.
func (p *simProcess) Identity(claims ...member.Claim) (member.Identity, error) {
	return p.in.member.Identity(claims...)
}

// Await implements worker.Owner.
func (p *simProcess) Await(ctx context.Context, refused member.Identity, claims ...member.Claim) (id member.Identity, err error) {
	cause := p.w.s.Wait(ctx, func() (done bool) {
		var wait bool
		id, wait, err = p.protocol.Look(refused, claims...)
		return !wait
	})
	return id, errors.Join(err, cause)
}

// follow is follower.run.
func (p *simProcess) follow() {
	f, ctx := p.in.follower, p.in.ctx
	for p.w.s.Wait(ctx, func() bool { return len(f.mu.wanted) > 0 }) == nil {
		if err := f.round(ctx); err != nil && ctx.Err() == nil {
			p.w.s.Fail("%s cannot follow: %v", p.host.Name, err)
			return
		}
		if p.w.s.Sleep(ctx, 10*time.Millisecond) != nil {
			return
		}
	}
}

// dropCopy is follower.drop.
func (p *simProcess) dropCopy(ctx context.Context, t assign.Task) error {
	f := p.in.follower
	if _, ok := f.mu.wanted[t]; ok {
		delete(f.mu.wanted, t)
		f.mu.cancel()
	}
	f.mu.stale[t] = true
	return p.w.s.Wait(ctx, func() bool { return !f.mu.busy[t] })
}

// leave stops the process cleanly, as Instance.stop does.
func (p *simProcess) leave() {
	p.stopping = true
	for _, f := range p.feeds {
		f.removed = true
	}
	for _, w := range p.workers {
		if p.command(p.in.ctx, w, func(ctx context.Context) error { return errors.Join(w.Stop(ctx), errSimStopped) }) != nil {
			return
		}
	}
	p.protocol.Leave()
	p.leaving = true
	if p.w.s.Wait(p.in.ctx, func() bool { return p.left }) == nil {
		p.w.end(p)
	}
}

var errSimStopped = failpoint.ErrCrash // ends a worker's thread, or all of a process
