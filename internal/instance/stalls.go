package instance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatstream/leat/internal/worker"
)

// watchStalls looks for code that does not return: its partitions would wait for
// ever, since the member's heartbeats go on.
func (in *Instance) watchStalls(ctx context.Context) error {
	if in.cfg.StallTimeout <= 0 {
		return nil
	}
	watches := map[*worker.Worker]*worker.Watch{}
	in.mu.Lock()
	for _, w := range in.workers {
		watches[w] = w.Watch()
	}
	in.mu.Unlock()
	for range every(ctx, in.cfg.StallTimeout/4) {
		for w, watch := range watches {
			if s, news := watch.Look(in.cfg.StallTimeout); news {
				in.stalled(w, s)
			}
		}
	}
	return nil
}

// stalled notes the stall of a worker; nil is the end of one.
func (in *Instance) stalled(w *worker.Worker, s *worker.Stall) {
	in.mu.Lock()
	if s == nil {
		delete(in.mu.stalls, w)
	} else {
		in.mu.stalls[w] = s
	}
	in.mu.Unlock()
	if s == nil {
		in.log.Info("code that had not returned has gone on")
		return
	}
	in.log.Error("code does not return; its partitions, and those of the tasks beside it, wait", "where", s.String(),
		"task", s.Where.Task, "node", s.Where.Node, "topic", s.Where.Topic, "partition", s.Where.Partition, "offset", s.Where.Offset,
		"since", s.Since, "stack", string(s.Stack))
}

// ErrStuck is wrapped by the error of Run if code of the application did not return
// when the process was to stop.
var ErrStuck = errors.New("code of the application does not return, and was left behind")

// awaitAll waits for the instance's goroutines, but not for ever for one that is in
// code that does not return.
func (in *Instance) awaitAll() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.wg.Wait()
	}()
	for {
		select {
		case <-done:
			return nil
		case <-time.After(in.cfg.ShutdownTimeout):
		}
		for _, w := range in.workers {
			if place, in := w.UserCode(); in {
				return fmt.Errorf("%s: %w", place, ErrStuck)
			}
		}
	}
}
