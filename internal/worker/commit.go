package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/task"
)

// commit ends the unit of work of every touched task: all of it takes effect, or
// none. An error is one that the process cannot go on after; any other failure has
// been answered: the tasks are rolled back and given to Reopen.
func (w *Worker) commit(ctx context.Context) error {
	if len(w.touched) == 0 {
		return nil
	}
	w.hurry = false
	began := time.Now()
	if err := w.anchor(ctx); err != nil {
		return w.recover(ctx, err)
	}
	for _, r := range w.touched {
		left := w.enter(r)
		err := r.Task.Flush(func() error { return w.drain(ctx, r) })
		left()
		if err == nil {
			err = w.drain(ctx, r)
		}
		if err != nil {
			w.abandon()
			return err
		}
	}
	failed, last, err := w.tolerate()
	if err != nil {
		w.abandon()
		return err
	}
	if err := w.settle(ctx); err != nil {
		w.forgive(failed)
		return w.recover(ctx, err)
	}
	w.tell(failed, last)
	for _, r := range w.touched {
		w.committed(r)
	}
	clear(w.touched)
	w.touched, w.before = w.touched[:0], w.processed.Load()
	w.p.written.each(w.cfg.Recorder.Written)
	w.p.next()
	w.pool.Trim()
	w.unflushed.Store(w.behind)
	w.commits.Add(1)
	now := time.Now()
	took := now.Sub(began)
	w.next = now.Add(max(took/2, rest))
	w.cfg.Recorder.Commit(took)
	return w.maintain(ctx)
}

// anchor has the group keep where tasks begin before anything goes to their changelogs.
// Without transactions a crash may come between the two, and state without offsets is
// nothing that a task can go on from.
func (w *Worker) anchor(ctx context.Context) error {
	if w.cfg.TransactionalID != "" {
		return nil
	}
	offsets := make(map[kafka.TopicPartition]kafka.Committed)
	var claims []member.Claim
	for _, r := range w.touched {
		if r.Begins != nil {
			claims = append(claims, r.Claim)
			r.addOffsets(offsets, r.Begins)
		}
	}
	defer w.blocked()()
	if err := w.commitPlainly(ctx, offsets, claims); err != nil {
		return err
	}
	for _, r := range w.touched {
		r.Begins = nil
	}
	return nil
}

// tolerate counts the records that policies have passed over in the transaction. It is an
// error if they are more than they may be.
func (w *Worker) tolerate() (failed int64, last, err error) {
	for _, r := range w.touched {
		if n, err := r.Task.Failed(); n > 0 {
			failed, last = failed+n, err
		}
	}
	if failed > 0 && w.cfg.Tolerate != nil {
		err = w.cfg.Tolerate(failed, last)
	}
	return failed, last, err
}

// forgive takes back what tolerate has counted: it is all done again.
func (w *Worker) forgive(failed int64) {
	if failed > 0 && w.cfg.Tolerate != nil {
		_ = w.cfg.Tolerate(-failed, nil) // it is fewer
	}
}

// tell logs, now and then, that records were passed over.
func (w *Worker) tell(failed int64, last error) {
	w.failed += failed
	if failed == 0 || time.Since(w.told) < tellInterval {
		return
	}
	w.cfg.Log.Warn("records failed, and their policies passed over them", "records", w.failed, "last", last)
	w.failed, w.told = 0, time.Now()
}

// tellInterval is how often records that failed are told of.
const tellInterval = 10 * time.Second

// settle makes Kafka agree to the unit of work.
func (w *Worker) settle(ctx context.Context) error {
	defer w.blocked()()
	if err := w.p.flush(); w.p.over() {
		return &failure{"produce", kafka.Lost, kafka.ErrLease}
	} else if err != nil {
		return &failure{"produce", kafka.OnProduce(err), err}
	}
	if err := w.cfg.Failpoint.Hit(failpoint.Flushed); err != nil {
		return err
	}
	offsets, claims := w.offsets()
	if w.p.sent == 0 || w.cfg.TransactionalID == "" {
		return w.commitPlainly(ctx, offsets, claims)
	}
	if err := w.see(ctx); err != nil {
		return err
	}
	err := w.vouch(ctx, claims, func(ctx context.Context, id kafka.Identity) error {
		return w.cfg.Kafka.CommitTxn(ctx, w.p.cl, id, offsets)
	})
	if err != nil {
		return err
	}
	if err := w.cfg.Failpoint.Hit(failpoint.Offsets); err != nil {
		return err
	}
	return w.end(ctx)
}

// commitPlainly commits offsets, if there are any, outside of any transaction.
func (w *Worker) commitPlainly(ctx context.Context, offsets map[kafka.TopicPartition]kafka.Committed, claims []member.Claim) error {
	if len(offsets) == 0 {
		return nil
	}
	return w.vouch(ctx, claims, func(ctx context.Context, id kafka.Identity) error {
		return w.cfg.Kafka.Commit(ctx, id, offsets)
	})
}

// see makes sure that the client knows what it has to commit.
func (w *Worker) see(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.TransactionTimeout)
	defer cancel()
	if err := w.p.see(ctx); err != nil {
		return &failure{"produce", kafka.ProducerDead, err}
	}
	return nil
}

// end commits the transaction. After any error it is not known whether it was.
func (w *Worker) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.TransactionTimeout)
	defer cancel()
	err := w.p.cl.EndTransaction(ctx, kgo.TryCommit)
	if crash := w.p.crash.Load(); crash != nil {
		return *crash
	}
	if err != nil {
		return &failure{"end of transaction, " + kafka.OnEnd(err).String(), kafka.ProducerDead, err}
	}
	return w.cfg.Failpoint.Hit(failpoint.Ended)
}

// offsets are where the touched tasks stand. A transaction names every input of
// every task in it, so that the broker always checks the member's generation; a
// commit of offsets alone names only tasks that moved.
func (w *Worker) offsets() (offsets map[kafka.TopicPartition]kafka.Committed, claims []member.Claim) {
	offsets = make(map[kafka.TopicPartition]kafka.Committed)
	for _, r := range w.touched {
		points := r.Task.Points()
		if w.p.sent == 0 && slices.Equal(points, r.Committed()) {
			continue
		}
		claims = append(claims, r.Claim)
		r.addOffsets(offsets, points)
	}
	return offsets, claims
}

// vouch calls commit as the member that owns the claimed tasks, and again if the
// group has a new generation in which they are owned still: ownership is what
// counts, and only the member knows it.
func (w *Worker) vouch(ctx context.Context, claims []member.Claim, commit func(context.Context, kafka.Identity) error) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.TransactionTimeout)
	defer cancel()
	id, err := w.cfg.Owner.Identity(claims...)
	for {
		if err != nil {
			return &failure{"ownership", kafka.Lost, err}
		}
		err = commit(ctx, kafka.Identity(id))
		switch action := kafka.OnCommit(err); action {
		case kafka.Proceed:
			return nil
		case kafka.WaitForAssignment:
			id, err = w.cfg.Owner.Await(ctx, id, claims...)
		default:
			return &failure{"offset commit", action, err}
		}
	}
}

// committed makes what r did committed state, at the changelog positions that the
// broker has given its changes.
func (w *Worker) committed(r *Run) {
	at := time.Now()
	now := at.UnixMilli()
	r.touched = false
	w.cfg.Recorder.Delays(r.subtopology(), at, r.stamps.take())
	points := r.Task.Points()
	r.points.Store(&points)
	r.Task.Commit()
	drops := r.Task.TakeDrops()
	drops.Each(func(why task.Drop, n int64) { w.drops[why].Add(n) })
	behind := int64(0)
	for i, s := range r.Task.Stores() {
		pos, _ := s.State.Position()
		pos.Time = now
		switch rec := r.last[i]; {
		case rec.Record != nil:
			pos.Offset = rec.Offset + 1
			s.State.SetPosition(pos)
			r.last[i] = sent{}
		case s.Input >= 0:
			if offset, ok := r.offsetOf(points, s.Source); ok {
				pos.Offset = offset
				s.State.SetPosition(pos)
			}
		}
		b, _ := s.State.Behind()
		behind += b
	}
	w.behind += behind - r.behind
	r.behind = behind
	w.weigh(r)
}

// A failure is a unit of work that came to nothing, or of which that cannot be
// known.
type failure struct {
	step   string
	action kafka.Action
	err    error
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %v (%s)", f.step, f.err, f.action) }

func (f *failure) Unwrap() error { return f.err }

// recover answers a failed unit of work. There is one way, whatever is known of
// the outcome: the producer is closed; a new one of the same transactional id makes
// the broker end the old transaction, one way or the other; the touched tasks are
// rolled back, and will be restored from the changelog and go on from the
// committed offsets.
func (w *Worker) recover(ctx context.Context, cause error) error {
	var f *failure
	if !errors.As(cause, &f) || ctx.Err() != nil || f.action == kafka.Fatal && !w.blame(f) {
		if !errors.Is(cause, failpoint.ErrCrash) && !errors.Is(context.Cause(ctx), failpoint.ErrCrash) {
			w.abandon()
		}
		return cause
	}
	w.cfg.Log.Warn("transaction failed; its tasks will be restored", "step", f.step, "answer", f.action, "tasks", len(w.touched), "err", f.err)
	w.cfg.Recorder.CommitFailed(f.step)
	runs := slices.Clone(w.touched)
	for _, r := range runs {
		r.Task.Rollback()
		w.forget(r)
	}
	clear(w.touched)
	w.touched, w.before = w.touched[:0], w.processed.Load()
	var err error
	if w.p, err = w.replaceProducer(ctx); err != nil {
		return err
	}
	w.cfg.Reopen(runs, cause)
	return nil
}

// replaceProducer closes the producer, if there is one, and makes another. It goes
// on trying while that may help: a coordinator that is away comes back.
func (w *Worker) replaceProducer(ctx context.Context) (*producer, error) {
	defer w.blocked()()
	w.p.close()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		p, err := newProducer(ctx, &w.cfg)
		if err == nil || ctx.Err() != nil || errors.Is(err, errOptions) || kafka.OnCommit(err) == kafka.Fatal {
			return p, err
		}
		w.cfg.Log.Warn("no producer; trying again", "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// abandon gives the open transaction up, because the process is about to stop: the
// broker is told, so that nobody downstream has to wait for it to time out.
func (w *Worker) abandon() {
	if w.p == nil || w.cfg.TransactionalID == "" || w.p.sent == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = w.p.cl.AbortBufferedRecords(ctx) // the process stops because of another error
	_ = w.p.cl.EndTransaction(ctx, kgo.TryAbort)
}

// forget takes r out of the worker's lists.
func (w *Worker) forget(r *Run) {
	if _, held := w.runs[r]; held {
		w.unweigh(r)
	}
	delete(w.runs, r)
	for _, fd := range r.Feeds {
		delete(w.feeds, fd)
	}
	is := func(o *Run) bool { return o == r }
	w.active = slices.DeleteFunc(w.active, is)
	w.timed = slices.DeleteFunc(w.timed, is)
	w.behind -= r.behind
	r.behind = 0
}
