package worker

import (
	"time"

	"github.com/leatstream/leat/internal/failpoint"
)

// maintain keeps the engine no further behind the changelogs than configured, and
// the caches within their share.
func (w *Worker) maintain() error {
	if w.behind == 0 {
		return nil
	}
	if w.behind < w.cfg.FlushBytes && time.Since(w.flushed) < w.cfg.FlushInterval {
		return nil
	}
	if len(w.touched) > 0 {
		return nil // after the commit
	}
	return w.flushEngine()
}

// flushEngine writes the committed state of every run to the engine in one batch,
// with the positions that it is true for. It is not called within a transaction.
func (w *Worker) flushEngine() error {
	all := make([]*Run, 0, len(w.runs))
	for r := range w.runs {
		all = append(all, r)
	}
	return w.writeRuns(all)
}

func (w *Worker) writeRuns(runs []*Run) error {
	w.batch.Reset()
	for _, r := range runs {
		for _, s := range r.Task.Stores() {
			if _, any := s.State.Behind(); any {
				s.State.Flush(&w.batch)
			}
		}
	}
	w.flushed = time.Now()
	if w.batch.Empty() {
		return nil
	}
	if err := w.cfg.Engine.Write(&w.batch); err != nil {
		return err
	}
	for _, r := range runs {
		for _, s := range r.Task.Stores() {
			s.State.Flushed()
			s.State.Evict(w.cfg.CacheBytes.Load())
		}
		w.behind -= r.behind
		r.behind = 0
	}
	return w.cfg.Failpoint.Hit(failpoint.EngineSet)
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
