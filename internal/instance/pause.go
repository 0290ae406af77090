package instance

import (
	"fmt"
	"maps"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/worker"
)

// pauses is what is not to be processed: everything, or what reads some partitions.
type pauses struct {
	all        bool
	partitions map[kafka.TopicPartition]bool
}

// Pause stops, or with false resumes, the processing of tasks that read the given
// partitions, or of all tasks if none is given. What is done is committed, and the
// process stays in its group with its tasks. It holds for tasks that come, too, and
// until the process ends.
func (in *Instance) Pause(on bool, partitions ...kafka.TopicPartition) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, tp := range partitions {
		if in.layout == nil || !in.readsLocked(tp.Topic) {
			return fmt.Errorf("no task reads topic %q", tp.Topic)
		}
	}
	p := &in.mu.pauses
	if len(partitions) == 0 {
		p.all = on
	}
	for _, tp := range partitions {
		if p.partitions == nil {
			p.partitions = map[kafka.TopicPartition]bool{}
		}
		if p.partitions[tp] = on; !on {
			delete(p.partitions, tp)
		}
	}
	for _, s := range in.mu.slots {
		if s.run != nil {
			in.applyPauseLocked(s, s.run)
			s.worker.Wake()
		}
	}
	in.log.Info("processing is paused or resumed", "paused", on, "partitions", partitions)
	return nil
}

// PauseLike pauses what is paused in before, in whose place in comes.
func (in *Instance) PauseLike(before *Instance) {
	before.mu.Lock()
	all, partitions := before.mu.pauses.all, maps.Clone(before.mu.pauses.partitions)
	before.mu.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.mu.pauses = pauses{all: all, partitions: partitions}
}

func (in *Instance) readsLocked(topic string) bool {
	for _, sub := range in.layout.Subs {
		for _, t := range sub.Topics {
			if t == topic {
				return true
			}
		}
	}
	return false
}

// applyPauseLocked makes a run paused or not: inputs that belong together pause
// together.
func (in *Instance) applyPauseLocked(s *slot, run *worker.Run) {
	paused := in.mu.pauses.all
	for _, tp := range s.inputs() {
		paused = paused || in.mu.pauses.partitions[tp]
	}
	run.Pause(paused)
}

// paused is whether everything is, and which partitions are.
func (p *pauses) list() (all bool, partitions []kafka.TopicPartition) {
	for tp := range p.partitions {
		partitions = append(partitions, tp)
	}
	return p.all, partitions
}
