package instance

import (
	"slices"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/pulse"
	"github.com/leatstream/leat/internal/task"
)

// A Status is what an instance has to say of itself.
type Status struct {
	Joined    bool // is in the group
	Restoring []assign.Task
	Running   []assign.Task
	Records   int64 // processed since the start
	Commits   int64
	Dropped   map[string]int64 // records without effect, by reason
	Stalled   []*pulse.Stall
	Paused    bool // everything
	PausedAt  []kafka.TopicPartition
}

// Ready reports whether the instance has its tasks and none is restoring.
func (st *Status) Ready() bool { return st.Joined && len(st.Restoring) == 0 }

// Status may be called at any time, from any goroutine.
func (in *Instance) Status() (st Status) {
	in.mu.Lock()
	defer in.mu.Unlock()
	st.Dropped = map[string]int64{}
	in.left.count(st.Dropped)
	if in.mu.joined {
		_, err := in.member.Identity()
		st.Joined = err == nil
	}
	for t, s := range in.mu.slots {
		if s.run == nil {
			st.Restoring = append(st.Restoring, t)
		} else {
			st.Running = append(st.Running, t)
		}
	}
	slices.SortFunc(st.Restoring, assign.Task.Compare)
	slices.SortFunc(st.Running, assign.Task.Compare)
	st.Paused, st.PausedAt = in.mu.pauses.list()
	st.Stalled = in.pulses.stalled()
	for _, w := range in.workers {
		records, commits := w.Processed()
		st.Records += records
		st.Commits += commits
		drops := w.Dropped()
		drops.Each(func(why task.Drop, n int64) { st.Dropped[why.String()] += n })
	}
	return st
}
