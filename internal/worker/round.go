package worker

import (
	"context"
	"slices"
	"time"

	"github.com/leatstream/leat/internal/task"
)

// quantum is how many records a task may process before the next one has its
// turn.
const quantum = 512

// round lets every task with records process some of them, those that have waited longest
// first, until the transaction has lasted as long as it may: with slow code, the turns of
// all may take longer than the brokers let one stay open.
func (w *Worker) round(ctx context.Context) error {
	now := time.Now()
	w.dry = false
	if over, err := w.tick(ctx, now); over || err != nil {
		return err
	}
	w.dry = true
	active, turn := w.active, quantum
	if r := w.cautious(now); r != nil {
		if w.hurry = true; len(w.touched) > 0 {
			w.dry = false
			return nil // the others' first
		}
		active, turn = []*Run{r}, 1
	}
	for i, r := range active {
		if !r.paused.Load() {
			n, err := w.process(ctx, r, now, turn)
			if err != nil {
				return err
			}
			if n > 0 {
				w.dry = false
			}
		}
		if r.yields != nil {
			r.yield(time.Now())
		}
		if !w.dry && w.due() {
			rotate(active, i+1)
			break
		}
	}
	w.active = slices.DeleteFunc(w.active, func(r *Run) bool {
		r.queued = slices.ContainsFunc(r.waits, func(waits []taken) bool { return len(waits) > 0 })
		return !r.queued
	})
	return nil
}

// handover is how many bytes a task may write before they go to the producer, which makes
// it wait if the brokers are slower.
const handover = 1 << 20

// looks reports whether to look at the clock after n records: soon, then now and then.
func looks(n int) bool { return n > 0 && (n&(n-1) == 0 || n%16 == 0) }

// process lets a task process as many records as it may in its turn.
func (w *Worker) process(ctx context.Context, r *Run, now time.Time, turn int) (n int, err error) {
	ms := now.UnixMilli()
	defer w.enter(r)()
	began := time.Now()
	if err := r.Task.AdvanceWallClock(ms); err != nil {
		return 0, err
	}
	for ; n < turn; n++ {
		w.pulse.Answer()
		if looks(n) && time.Since(began) >= w.cfg.CommitInterval {
			break // slow code: others wait, and the commit
		}
		if ready, _ := r.Task.Ready(ms); !ready || r.Task.Written() > handover {
			break
		}
		done, err := r.Task.Process()
		if err != nil {
			return n, err
		}
		if !done {
			break // it is to be tried again
		}
	}
	w.cfg.Recorder.Retried(r.Task.TakeRetries())
	if n > 0 {
		w.processed.Add(int64(n))
		spent := time.Since(began)
		w.cfg.Recorder.Batch(r.subtopology(), spent)
		r.levels.busy.Add(int64(spent))
		r.stamps.add(r.Task.Now())
	}
	r.settleFeeds()
	if err := w.drain(ctx, r); err != nil {
		return n, err
	}
	if a := r.Task.Arena(); a.Full() {
		a.Sent(w.p.sent, w.p.slab.acked())
	}
	return n, nil
}

// rotate makes the elements behind the first n the first ones.
func rotate[T any](s []T, n int) {
	slices.Reverse(s[:n])
	slices.Reverse(s[n:])
	slices.Reverse(s)
}

// tick fires the wall-clock timers that are due; over says that it has stopped because it is
// time to commit.
func (w *Worker) tick(ctx context.Context, now time.Time) (over bool, err error) {
	for i, r := range w.timed {
		if at, ok := r.Task.NextWallClock(); !ok || at > now.UnixMilli() || r.paused.Load() {
			continue
		}
		left := w.enter(r)
		err := r.Task.AdvanceWallClock(now.UnixMilli())
		left()
		if err != nil {
			return false, err
		}
		if err := w.drain(ctx, r); err != nil {
			return false, err
		}
		if w.due() {
			rotate(w.timed, i+1)
			return true, nil
		}
	}
	return false, nil
}

// drain sends what the task has written, as part of the open transaction.
func (w *Worker) drain(ctx context.Context, r *Run) error {
	if _, ok := r.Task.NextWallClock(); ok && !r.timed {
		r.timed = true
		w.timed = append(w.timed, r)
	}
	if !r.Task.Touched() {
		return nil
	}
	if !r.touched {
		r.touched = true
		if len(w.touched) == 0 {
			w.began = time.Now()
		}
		w.touched = append(w.touched, r)
	}
	w.hurry = w.hurry || r.Task.CommitRequested()
	out := r.Task.TakeOutput()
	if len(out) > 0 && w.p.sent == 0 && w.cfg.TransactionalID != "" {
		if err := w.p.cl.BeginTransaction(); err != nil {
			w.p.fail(err)
		}
	}
	if w.p.full(out) {
		defer w.blocked()()
	}
	run := 0 // where records of the same topic began
	for i := range out {
		rec := w.p.send(&out[i])
		if i+1 == len(out) || out[i+1].Topic != out[i].Topic {
			w.p.written.add(rec, int64(i+1-run))
			run = i + 1
		}
		if w.cfg.Produce != task.Fail {
			w.p.refusals.origins = append(w.p.refusals.origins, origin{r, culprit{out[i].Source, out[i].Offset}})
		}
		if c := out[i].Changelog; c != nil {
			r.last[c.Index].release()
			rec.keep()
			r.last[c.Index] = rec
		}
	}
	return nil
}
