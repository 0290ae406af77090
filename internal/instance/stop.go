package instance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/pulse"
)

// beginEnd notes until when the process must have ended, which is to end now.
func (in *Instance) beginEnd() {
	if in.end.IsZero() {
		in.end = time.Now().Add(in.cfg.ShutdownTimeout)
	}
}

// settling is the part of that time in which goroutines end whose context has: before it
// what can be ended cleanly is.
func (in *Instance) settling() time.Duration { return in.cfg.ShutdownTimeout / 10 }

// stop ends the instance cleanly as far as it still can: what is processed is
// committed, local state is written, and the group is told.
func (in *Instance) stop() {
	in.mu.Lock()
	in.mu.stopping = true
	joined := in.mu.joined
	in.mu.Unlock()
	if errors.Is(context.Cause(in.ctx), failpoint.ErrCrash) {
		return
	}
	in.beginEnd()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(in.ctx), in.end.Add(-in.settling()))
	defer cancel()
	failed := in.ctx.Err() != nil
	if in.stopFetching != nil {
		in.stopFetching()
	}
	if !failed {
		for _, w := range in.workers {
			if err := w.Stop(ctx); err != nil {
				in.log.Warn("worker could not stop cleanly: what it had not committed will be done again", "err", err)
			}
		}
	}
	if !in.cfg.StayOnStop && joined {
		if err := in.member.Leave(ctx); err != nil {
			in.log.Warn("could not leave the group: its tasks move when the session times out", "err", err)
		}
	}
}

// close releases everything, whatever of it there is.
func (in *Instance) close() (err error) {
	in.beginEnd()
	in.cancel(errStopped)
	in.mu.Lock()
	joined := in.mu.joined
	in.mu.Unlock()
	if joined {
		in.member.Close()
	}
	if in.unobserve != nil {
		err = in.unobserve()
	}
	if stuck := in.awaitAll(); stuck != nil {
		return errors.Join(err, stuck) // what it uses cannot be closed
	}
	return errors.Join(err, in.closeAll())
}

// closeAll closes what the goroutines have used.
func (in *Instance) closeAll() (err error) {
	for _, cl := range in.clients {
		cl.Close()
	}
	if in.admin != nil {
		in.admin.Close()
	}
	if in.engine != nil {
		err = in.engine.Close()
		if cause := context.Cause(in.ctx); errors.Is(cause, engine.ErrCorrupt) && in.cfg.OpenEngine != nil {
			err = in.dropEngine(cause) // what it says of being closed does not matter any more
		}
	}
	if in.identity != nil {
		err = errors.Join(err, in.identity.Close())
	}
	return err
}

// ErrStuck is wrapped by the error of Run if code of the application, or whatever else,
// did not return when the process was to stop.
var ErrStuck = errors.New("it does not return, and was left behind")

// awaitAll waits for the instance's goroutines, but for no longer than the process may
// take if one is in code that does not return. What is held up otherwise, by a disk say,
// gets as long again.
func (in *Instance) awaitAll() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.wg.Wait()
	}()
	for _, wait := range []time.Duration{time.Until(in.end), in.cfg.ShutdownTimeout} {
		select {
		case <-done:
			return nil
		case <-time.After(wait):
		}
		if places := in.pulses.inCode(); len(places) > 0 {
			return fmt.Errorf("code of the application: %s: %w", strings.Join(places, "; "), ErrStuck)
		}
	}
	in.log.Error("the process cannot be stopped", "stacks", string(pulse.Stacks()))
	return fmt.Errorf("something of the process, which the stacks in the log show: %w", ErrStuck)
}
