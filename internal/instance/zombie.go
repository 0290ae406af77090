package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/task"
)

// broken ends the process because an input cannot be read on.
func (in *Instance) broken(fd *fetch.Feed, err error) {
	if s := in.slotOf(fd); s != nil {
		in.wg.Go(func() { in.failTask(s, err) })
	}
}

// slotOf is the slot that reads a feed; nil if it has been taken away.
func (in *Instance) slotOf(fd *fetch.Feed) *slot {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.mu.slots {
		if s.run != nil && slices.Contains(s.run.Feeds, fd) {
			return s
		}
	}
	return nil
}

// failTask ends the process because of what has happened to a task, unless that has
// become others': a process that was paused for longer than its session finds the
// world changed, its inputs purged by who has processed them, before it hears that it
// is out of the group. Its tasks are taken away then, and nothing has failed.
func (in *Instance) failTask(s *slot, err error) {
	if in.owns(s) {
		if _, says := errors.AsType[*task.Error](err); !says {
			err = fmt.Errorf("task %s: %w", s.task, err)
		}
		in.fail(err)
		return
	}
	in.log.Info("a task failed that is not of this process any more", "task", s.task, "err", err)
}

// owns asks the group whether the task of a slot is this process's still. It waits for
// the answer as long as a transaction may take, and takes none for a yes.
func (in *Instance) owns(s *slot) bool {
	ctx, cancel := context.WithTimeout(s.ctx, in.cfg.TransactionTimeout)
	defer cancel()
	id, err := in.member.Identity(s.claim)
	for failures := 1; err == nil; {
		switch err = in.heartbeat(ctx, id); kafka.OnCommit(err) {
		case kafka.WaitForAssignment:
			id, err = in.member.Await(ctx, id, s.claim)
		case kafka.Retry:
			err = kafka.Sleep(ctx, kafka.Backoff(failures))
			failures++
		case kafka.Lost:
			return false
		default:
			return s.ctx.Err() == nil
		}
	}
	return s.ctx.Err() == nil && !errors.Is(err, member.ErrNotOwned) && !errors.Is(err, member.ErrNoGeneration)
}
