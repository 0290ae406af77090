package instance

import (
	"time"

	"github.com/leatstream/leat/internal/telemetry"
)

// observe makes the process's metrics.
func (in *Instance) observe() (err error) {
	if in.metrics, err = telemetry.New(in.cfg.Meter); err != nil {
		return err
	}
	in.unobserve, err = in.metrics.Observe(in.snapshot)
	return err
}

// A sized engine says what it takes on disk.
type sized interface{ DiskBytes() int64 }

// snapshot is what metrics say of the process. It may be called at any time, from
// any goroutine.
func (in *Instance) snapshot() telemetry.Snapshot {
	st := in.Status()
	s := telemetry.Snapshot{
		Ready: st.Ready(), Paused: st.Paused, Tasks: map[string]int{"restoring": len(st.Restoring), "running": len(st.Running)}, Stalled: len(st.Stalled),
		Processed: st.Records, Commits: st.Commits, Dropped: st.Dropped,
		State: telemetry.State{Memory: map[string]int64{}, Disk: -1},
	}
	in.mu.Lock()
	workers := in.workers
	if in.mu.joined {
		s.Rebalances = in.member.Sessions()
		if e, ok := in.engine.(sized); ok && !in.mu.stopping {
			s.State.Disk = e.DiskBytes()
		}
	}
	in.mu.Unlock()
	for _, w := range workers {
		idle, busy, blocked := w.Spent()
		s.Workers = append(s.Workers, telemetry.Shares{Busy: busy, Blocked: blocked, Idle: idle})
		s.State.Behind += w.Unflushed()
	}
	now := time.Now()
	for _, i := range in.stand() {
		l := telemetry.Lag{Topic: i.Topic, Partition: i.Partition, Records: i.End - i.Position}
		if l.Records > 0 && i.Time >= 0 {
			l.Time = max(0, now.Sub(time.UnixMilli(i.Time)))
		}
		s.Lags = append(s.Lags, l)
	}
	for _, run := range in.running() {
		for i, st := range run.Task.Stores() {
			s.State.Memory[st.Name] += run.Bytes(i)
		}
	}
	for _, p := range in.restoring.now() {
		s.Restores = append(s.Restores, telemetry.Restore{Store: p.Store, Partition: p.Partition, Remaining: p.To - p.At})
	}
	s.Restored.Records, s.Restored.Bytes = in.restoring.records.Load(), in.restoring.bytes.Load()
	return s
}
