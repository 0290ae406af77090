package member

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
)

// Mutations that guard exactly-once, and the tests that catch them:
//
//	Identity is the client's own, as soon as Join is answered   RejoinTooLate
//	another member id loses nothing                             Chain
//	a missed generation loses nothing                           Chain, Rounds, RejoinTooLate
//	a broken chain claims what it owned                         Chain, RejoinTooLate
//	ownership ends before Revoked is called                     CommitWhileRevoked, every other that revokes
//	ownership ends after Lost is called                         SessionTimesOut, every other that loses
//	incarnations are not raised, or not compared                Chain, Identity
//	the new identity is not set before Revoked                  CommitWhileRevoked
//	Await waits also for a task that is being revoked           Await, CommitWhileRevoked (they hang)
//	tasks are given before they are given up                    Plan, Rounds
//	stale claims count                                          Plan, RejoinTooLate
//	only claims of the newest generation count                  Plan
//	nobody is told to join again; no follow-up is asked for     Plan, SecondMemberTakesItsShare, NobodyWaitsForHeartbeats
//	a leader plans without having seen all topics               TopicComesLate
//	members of another topology get tasks                       Plan, OtherTopology
//	other inputs are the same incarnation                       OtherInputsAreAnotherIncarnation, NewPartitions
//	kgo is told what is assigned                                OneMemberHasAllTasks

// Processes start, stop, die, lose the network and come back, and their handlers
// stall for longer than the group waits. Each task they own counts in the broker's
// committed offset: whoever is assigned it reads the offset, and commits the next,
// and the next. If two ever do so at once, an offset is committed twice.
//
// What a process commits goes by another connection than its membership, which is
// the worst case: it reaches the broker while the process is thought to be dead.
func TestChaos(t *testing.T) {
	r := random(t)
	inCluster(t, func(c *cluster) {
		ch := &chaos{c: c, r: r, cl: c.client(), turn: make(chan struct{}, 1), at: map[assign.Task]int64{}}
		defer ch.cl.Close()
		c.kafka.ControlKey(int16(kmsg.SyncGroup), ch.delaySync)
		names := []string{"p0", "p1", "p2!", "p3!"}
		running := map[string]*process{}
		for range 150 {
			name := names[r.IntN(len(names))]
			if p := running[name]; p == nil {
				running[name] = ch.start(name)
			} else if ch.upset(p) {
				delete(running, name)
			}
			time.Sleep(r.N(15 * time.Second))
		}
		for _, p := range running {
			p.line.mend()
		}
		ch.calm.Store(true)
		time.Sleep(3 * time.Minute)
		var owned int
		for _, p := range running {
			for _, task := range ch.tasks() {
				if _, ok := p.Claim(task); ok {
					owned++
				}
			}
		}
		if len(running) > 0 && owned != len(ch.tasks()) {
			t.Errorf("%d tasks of %d are owned in the end", owned, len(ch.tasks()))
		}
		for _, p := range running {
			p.Close()
		}
		t.Logf("%d commits, %d refused, %d saved by waiting, %d aborted", ch.commits, ch.refused, ch.saved, ch.aborted)
	})
}

type chaos struct {
	c    *cluster
	r    *rand.Rand // of the driving goroutine
	cl   *kgo.Client
	calm atomic.Bool   // nothing stalls any more
	turn chan struct{} // held for what is below, and over a request, as a mutex may not be

	at                               map[assign.Task]int64 // committed
	commits, refused, saved, aborted int
}

func (ch *chaos) count(n *int) {
	ch.turn <- struct{}{}
	*n++
	<-ch.turn
}

// delaySync makes the time long in which a member knows its next generation and not
// yet what it is assigned.
func (ch *chaos) delaySync(kmsg.Request) (kmsg.Response, error, bool) {
	ch.c.kafka.KeepControl()
	if d := rand.N(6 * time.Second); !ch.calm.Load() && d > 3*time.Second {
		ch.c.kafka.SleepControl(func() { time.Sleep(d) })
	}
	return nil, nil, false
}

func (ch *chaos) tasks() (out []assign.Task) {
	for i := range int32(6) {
		out = append(out, assign.Task{Sub: 0, Partition: i})
	}
	return out
}

// upset does something to a running process, and reports whether it is no more.
func (ch *chaos) upset(p *process) (ended bool) {
	switch ch.r.IntN(6) {
	case 0:
		p.Close()
		return true
	case 1:
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = p.Leave(ctx) // it may be in the middle of a rebalance
		p.Close()
		return true
	case 2:
		p.kill()
		return true
	case 3, 4:
		p.vanish()
	default:
		p.line.mend()
	}
	return false
}

// start starts a process with a worker per task of sub-topology 0. One call of
// the handler in three stalls.
func (ch *chaos) start(name string) *process {
	stalls := rand.New(rand.NewPCG(ch.r.Uint64(), 0)) // of the handler's goroutine
	return ch.c.start(name, func(p *process, cfg *Config) {
		cfg.RebalanceTimeout, cfg.HeartbeatInterval = 8*time.Second, 5*time.Second
		workers := map[assign.Task]*counter{}
		stall := func() {
			p.forget() // others may be assigned the tasks before Lost is called
			if stalls.IntN(3) == 0 && !ch.calm.Load() {
				time.Sleep(stalls.N(30 * time.Second))
			}
		}
		p.onAssigned = func(tasks []assign.Task) {
			for _, task := range tasks {
				if task.Sub == 0 {
					w := &counter{ch: ch, p: p, pace: time.Duration(100+stalls.IntN(400)) * time.Millisecond, stop: make(chan struct{}), done: make(chan struct{})}
					w.claim, _ = p.Claim(task)
					workers[task] = w
					go w.run()
				}
			}
			stall()
		}
		p.onGone = func(tasks []assign.Task) {
			stall()
			for _, task := range tasks {
				if w := workers[task]; w != nil {
					close(w.stop)
					<-w.done
				}
				delete(workers, task)
			}
		}
	})
}

// A counter is the worker of one task. It commits until it is stopped, and once
// more then, as a worker does whose task is revoked.
type counter struct {
	ch         *chaos
	p          *process
	claim      Claim
	pace       time.Duration
	stop, done chan struct{}
}

func (w *counter) run() {
	defer close(w.done)
	next := w.read() + 1
	for {
		stopped := false
		select {
		case <-w.stop:
			stopped = true
		case <-time.After(w.pace):
		}
		err := w.commit(next)
		switch {
		case errors.Is(err, ErrNotOwned), errors.Is(err, ErrNoGeneration):
			w.ch.count(&w.ch.aborted)
		case err != nil:
			w.ch.c.t.Error(err)
		default:
			next++
		}
		if stopped || err != nil {
			return
		}
	}
}

// commit commits the offset as the member, and again as the next one if that is
// refused.
func (w *counter) commit(offset int64) error {
	id, err := w.p.Identity(w.claim)
	for waited := false; err == nil; waited = true {
		if w.try(id, offset) {
			if waited {
				w.ch.count(&w.ch.saved)
			}
			return nil
		}
		id, err = w.p.Await(context.Background(), id, w.claim)
	}
	return err
}

func (w *counter) try(id Identity, offset int64) (accepted bool) {
	w.ch.turn <- struct{}{}
	defer func() { <-w.ch.turn }()
	task := w.claim.Task
	if err := w.ch.c.commit(w.ch.cl, id, task.Partition, offset); err != nil {
		w.ch.refused++
		return false
	}
	if at := w.ch.at[task]; at != offset-1 {
		w.ch.c.t.Errorf("%s committed %d for %v, after %d", w.p.name, offset, task, at)
	}
	w.ch.at[task] = offset
	w.ch.commits++
	return true
}

func (w *counter) read() int64 {
	w.ch.turn <- struct{}{}
	defer func() { <-w.ch.turn }()
	return w.ch.at[w.claim.Task]
}
