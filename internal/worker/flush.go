package worker

import (
	"context"
	"time"

	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
)

// maintain keeps the engine no further behind the changelogs than configured, the
// caches within their share, and the positions' times current.
func (w *Worker) maintain(ctx context.Context) error {
	if len(w.touched) > 0 {
		return nil // after the commit
	}
	if time.Since(w.renewed) >= renewInterval {
		w.renew(ctx)
	}
	late := w.behind > 0 && time.Since(w.flushed) >= w.cfg.FlushInterval
	if late || w.behind > w.cfg.FlushBytes || w.tight() {
		return w.flushEngine()
	}
	return nil
}

// flushEngine writes the committed state of every run to the engine,
// with the positions that it is true for. It is not called within a transaction.
func (w *Worker) flushEngine() error {
	all := make([]*Run, 0, len(w.runs))
	for r := range w.runs {
		all = append(all, r)
	}
	w.flushed = time.Now()
	if err := w.writeRuns(all); err != nil {
		return err
	}
	w.evict()
	return nil
}

// writeRuns writes what runs have committed, each store with its position: so much at a
// time that what is listed for the engine takes little beside it.
func (w *Worker) writeRuns(runs []*Run) error {
	w.batch.Reset()
	for _, r := range runs {
		for _, s := range r.Task.Stores() {
			if _, any := s.State.Behind(); !any {
				continue
			}
			s.State.Flush(&w.batch)
			w.written = append(w.written, s.State)
			if len(w.batch.Ops) >= manyOps {
				if err := w.writeBatch(); err != nil {
					return err
				}
			}
		}
	}
	if err := w.writeBatch(); err != nil {
		return err
	}
	for _, r := range runs {
		w.behind -= r.behind
		r.behind = 0
	}
	w.unflushed.Store(w.behind)
	return w.cfg.Failpoint.Hit(failpoint.EngineSet)
}

// manyOps are enough for a batch of their own.
const manyOps = 1 << 14

// writeBatch writes what has been gathered for the engine.
func (w *Worker) writeBatch() error {
	if !w.batch.Empty() {
		if err := w.cfg.Engine.Write(&w.batch); err != nil {
			return err
		}
	}
	for _, s := range w.written {
		s.Flushed()
	}
	clear(w.written)
	w.written = w.written[:0]
	w.batch.Reset()
	return nil
}

// release takes runs away, their state in the engine.
func (w *Worker) release(runs []*Run) error {
	held := runs[:0:0]
	for _, r := range runs {
		if _, ok := w.runs[r]; ok {
			held = append(held, r)
		}
	}
	if err := w.writeRuns(held); err != nil {
		return err
	}
	for _, r := range held {
		w.forget(r)
	}
	return nil
}

// renewInterval is how often it is confirmed that idle tasks are owned still.
const renewInterval = 10 * time.Minute

// renew confirms that the stores are current: local state of a task that has long
// been idle would else look as if it had missed deletions that compaction has since
// removed. It asks the group, so that a process that slept through the loss of its
// tasks does not vouch for what it has.
func (w *Worker) renew(ctx context.Context) {
	w.renewed = time.Now()
	claims := make([]member.Claim, 0, len(w.runs))
	for r := range w.runs {
		claims = append(claims, r.Claim)
	}
	if len(claims) == 0 {
		return
	}
	defer w.blocked()()
	err := w.vouch(ctx, claims, func(ctx context.Context, id kafka.Identity) error {
		return w.cfg.Kafka.Heartbeat(ctx, id)
	})
	if err != nil {
		w.cfg.Log.Debug("ownership of idle tasks is not confirmed", "err", err) // a commit will tell
		return
	}
	for r := range w.runs {
		for _, s := range r.Task.Stores() {
			if pos, ok := s.State.Position(); ok {
				pos.Time = w.renewed.UnixMilli()
				s.State.SetPosition(pos)
				w.behind++ // so that it is written
				r.behind++
			}
		}
	}
}
