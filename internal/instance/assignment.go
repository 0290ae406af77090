package instance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/worker"
)

// A slot is a task from its assignment until it is revoked or lost.
//
//	         assigned                opened
//	(none) ------------> restoring ----------> running
//	            ^            ^                    |
//	            |            +--------------------+  its transaction failed
//	            +--- revoked or lost, from either
type slot struct {
	task   assign.Task
	claim  member.Claim
	sub    *layout.Sub
	worker *worker.Worker

	ctx    context.Context // ends when the slot is taken away
	cancel context.CancelFunc
	stores []*state.Store // between restores; only the opening goroutine touches them

	failures int // transactions in a row; the worker's

	// The rest is guarded by Instance.mu.
	run    *worker.Run   // nil while restoring
	opened chan struct{} // closed when the opening in progress is over
	gone   bool

	stands []worker.Input // where its inputs stand while it restores, as far as is known
}

// Assigned opens tasks. It does not wait until they are restored.
func (in *Instance) Assigned(_ context.Context, tasks []assign.Task, departed []member.Fence) {
	in.mu.Lock()
	var slots []*slot
	for _, t := range tasks {
		if s := in.newSlot(t); s != nil {
			slots = append(slots, s)
		}
	}
	in.setCache(in.storesLocked())
	in.mu.Unlock()
	if len(slots) == 0 {
		return
	}
	in.log.Info("assigned tasks", "tasks", tasks)
	in.metrics.Moved("assigned", len(slots))
	fenced := sync.OnceValue(func() error { return in.fence(in.ctx, departed) })
	for _, s := range slots {
		in.open(s, nil, fenced)
	}
}

// newSlot makes the slot of a task; nil if there is one, or if it is too late. The
// caller holds mu.
func (in *Instance) newSlot(t assign.Task) *slot {
	if in.mu.stopping || in.mu.slots[t] != nil {
		return nil
	}
	claim, ok := in.member.Claim(t)
	if !ok {
		return nil // taken away again already
	}
	s := &slot{task: t, claim: claim, worker: in.leastBusy(), opened: make(chan struct{})}
	s.sub = in.subOf(t)
	if err := misfit(t, s.sub, in.member.Inputs(t)); err != nil {
		in.fail(err)
		return nil
	}
	s.ctx, s.cancel = context.WithCancel(in.ctx)
	in.mu.slots[t] = s
	return s
}

// subOf is the sub-topology of a task.
func (in *Instance) subOf(t assign.Task) *layout.Sub {
	for i := range in.layout.Subs {
		if in.layout.Subs[i].ID == t.Sub {
			return &in.layout.Subs[i]
		}
	}
	return nil
}

// leastBusy is the worker with the fewest stateful tasks, then the fewest tasks.
// The caller holds mu.
func (in *Instance) leastBusy() *worker.Worker {
	load := map[*worker.Worker]int{}
	for _, s := range in.mu.slots {
		load[s.worker]++
		if s.sub.Stateful() {
			load[s.worker] += 1000
		}
	}
	best := in.workers[0]
	for _, w := range in.workers[1:] {
		if load[w] < load[best] {
			best = w
		}
	}
	return best
}

func (in *Instance) storesLocked() (n int) {
	for _, s := range in.mu.slots {
		n += len(s.sub.Stores)
	}
	return n
}

// Revoked gives tasks up: when it returns, what they did is committed or will never
// be, and nothing of them runs.
func (in *Instance) Revoked(_ context.Context, tasks []assign.Task) {
	in.log.Info("tasks revoked", "tasks", tasks)
	in.metrics.Moved("revoked", len(tasks))
	in.take(tasks)
}

// Lost gives tasks up that are not ours any more: nothing of them can be committed,
// because the member does not vouch for them now.
func (in *Instance) Lost(_ context.Context, tasks []assign.Task) {
	in.log.Warn("tasks lost: the group has gone on without this process", "tasks", tasks)
	in.metrics.Moved("lost", len(tasks))
	in.take(tasks)
}

// take ends slots: first nothing more is fetched for them, then the worker settles
// its transaction and lets go of them.
func (in *Instance) take(tasks []assign.Task) {
	slots := in.remove(tasks)
	for _, s := range slots {
		s.cancel()
	}
	byWorker := map[*worker.Worker][]*worker.Run{}
	for _, s := range slots {
		run := in.awaitOpened(s)
		if run == nil {
			continue
		}
		_ = in.fetcher.Remove(in.ctx, present(run)) // fails only when everything ends
		byWorker[s.worker] = append(byWorker[s.worker], run)
	}
	for w, runs := range byWorker {
		if err := w.Release(in.ctx, runs...); err != nil && in.ctx.Err() == nil {
			in.fail(err)
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.setCache(in.storesLocked()) // those that are left share what the others had
}

// remove takes the slots of tasks out, so that nobody opens them again.
func (in *Instance) remove(tasks []assign.Task) (slots []*slot) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, t := range tasks {
		if s := in.mu.slots[t]; s != nil {
			s.gone = true
			delete(in.mu.slots, t)
			slots = append(slots, s)
		}
	}
	return slots
}

// awaitOpened waits until the slot is not being opened, and returns its run; nil if it has
// none, or if the process ends meanwhile: code that opens it may never return.
func (in *Instance) awaitOpened(s *slot) *worker.Run {
	in.mu.Lock()
	opened := s.opened
	in.mu.Unlock()
	select {
	case <-opened:
	case <-in.ctx.Done():
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return s.run
}

// open restores a task and gives it to its worker, in the background. old is the run
// that it had before, whose transaction failed.
func (in *Instance) open(s *slot, old *worker.Run, fenced func() error) {
	opened := s.opened
	in.wg.Go(func() {
		defer close(opened)
		err := in.opened(s, old, fenced)
		if err != nil && s.ctx.Err() == nil && !in.isStopping() {
			in.failTask(s, err)
		}
	})
}

func (in *Instance) isStopping() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.mu.stopping
}

// opened does what open says. One task restores at a time in each of a few places.
func (in *Instance) opened(s *slot, old *worker.Run, fenced func() error) error {
	if old != nil {
		if err := in.fetcher.Remove(in.ctx, present(old)); err != nil {
			return err
		}
		select {
		case <-time.After(backoff(s.failures)):
		case <-s.ctx.Done():
			return nil
		}
	}
	if err := fenced(); err != nil { // at once: who is gone may come back
		return fmt.Errorf("before restoring: %w", err)
	}
	run, err := in.restored(s)
	if run == nil || err != nil {
		return err
	}
	if old != nil {
		run.Inherit(old)
	}
	in.mu.Lock()
	in.applyPauseLocked(s, run)
	in.mu.Unlock()
	switch err := s.worker.Add(s.ctx, run); {
	case errors.Is(err, worker.ErrEnded):
		return nil // the process ends, because of what ended the worker
	case err != nil: // the slot was taken away meanwhile, and the worker may have the run all the same
		return errors.Join(err, s.worker.Release(in.ctx, run))
	}
	in.mu.Lock()
	s.run = run
	in.applyPauseLocked(s, run) // that may have changed meanwhile
	in.mu.Unlock()
	return in.fetcher.Add(s.ctx, present(run))
}

// restored restores a task as soon as there is a reader for its changelogs, which is free
// again when it returns: who waits for a worker must not keep it from the tasks of others.
// The run is nil if the task was taken away again.
func (in *Instance) restored(s *slot) (*worker.Run, error) {
	if !s.sub.Stateful() {
		return in.restore(s, nil)
	}
	if err := in.follower.drop(s.ctx, s.task); err != nil {
		return nil, nil // taken away again
	}
	select {
	case reader := <-in.idle:
		defer func() { in.idle <- reader }()
		return in.restore(s, reader)
	case <-s.ctx.Done():
		return nil, nil
	}
}

// maxFailures is how many transactions of a task may fail in a row before the process
// gives up: with the waits between them, about two minutes.
const maxFailures = 25

// reopen restores tasks whose transaction came to nothing. Workers call it.
func (in *Instance) reopen(runs []*worker.Run, cause error) {
	for _, run := range runs {
		s := run.Tag.(*slot)
		if run.Progressed() {
			s.failures = 0
		}
		s.failures++
		if s.failures > maxFailures {
			in.fail(fmt.Errorf("task %s: its transaction has failed %d times in a row: %w", s.task, s.failures, cause))
			return
		}
		in.mu.Lock()
		again := !s.gone && !in.mu.stopping
		if again {
			s.run, s.opened = nil, make(chan struct{})
			s.stands = run.Inputs()
		}
		in.mu.Unlock()
		if again {
			in.open(s, run, func() error { return nil })
		}
	}
}

// backoff is how long to wait before a task is opened for the nth time in a row.
func backoff(n int) time.Duration {
	return min(50*time.Millisecond<<min(n, 7), 5*time.Second)
}

// Identity is as whom the group knows this process while it owns the claimed tasks.
func (in *Instance) Identity(claims ...member.Claim) (member.Identity, error) {
	return in.member.Identity(claims...)
}

// Await is Identity after the broker has refused one.
func (in *Instance) Await(ctx context.Context, refused member.Identity, claims ...member.Claim) (member.Identity, error) {
	return in.member.Await(ctx, refused, claims...)
}

// Failed ends the process if it cannot be in its group. One whose topology differs
// from that of the others waits until they have stopped.
func (in *Instance) Failed(err error) {
	if other, ok := errors.AsType[*member.TopologyError](err); ok {
		difference, _ := compare(other.Shape, in.cfg.Plan.Shape)
		if len(other.Shape) == 0 {
			difference = nil // an older version leads the group, and says nothing of it
		}
		in.log.Error("no tasks for this process while others run another topology", "err", err, "difference", strings.Join(difference, "; "))
		return
	}
	if errors.Is(err, member.ErrUnknownTopic) && in.patterns != nil {
		in.beginAnew() // another process has seen it first
		return
	}
	in.fail(err)
}

// running are the runs of the tasks that are not restoring.
func (in *Instance) running() map[assign.Task]*worker.Run {
	in.mu.Lock()
	defer in.mu.Unlock()
	runs := map[assign.Task]*worker.Run{}
	for t, s := range in.mu.slots {
		if s.run != nil {
			runs[t] = s.run
		}
	}
	return runs
}
