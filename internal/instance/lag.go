package instance

import (
	"context"
	"slices"
	"time"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/worker"
)

// endsInterval is how often partitions are asked how far they go. What is fetched
// says so too, but not of a partition that is paused, or whose task restores.
const endsInterval = 10 * time.Second

// followEnds keeps known how far the inputs go, and where those of tasks that restore
// stand meanwhile: lag grows until they are back.
func (in *Instance) followEnds(ctx context.Context) error {
	for range every(ctx, endsInterval) {
		runs, restoring := in.running(), in.restoringSlots()
		var stand, tps []kafka.TopicPartition
		for _, s := range restoring {
			stand = append(stand, s.inputs()...)
		}
		for _, run := range runs {
			for _, i := range run.Inputs() {
				tps = append(tps, kafka.TopicPartition{Topic: i.Topic, Partition: i.Partition})
			}
		}
		if len(tps)+len(stand) == 0 {
			continue
		}
		ends, committed, err := in.askEnds(ctx, tps, stand)
		if err != nil {
			in.log.Debug("ends of partitions are not known", "err", err) // the lag is what was last heard
			continue
		}
		for _, run := range runs {
			for _, i := range run.Inputs() {
				run.Ends(i.Source, ends[kafka.TopicPartition{Topic: i.Topic, Partition: i.Partition}])
			}
		}
		for _, s := range restoring {
			in.stands(s, committed, ends)
		}
	}
	return nil
}

// askEnds asks for the ends of inputs, and of those that nobody reads yet where the group
// has committed them.
func (in *Instance) askEnds(ctx context.Context, read, stand []kafka.TopicPartition) (ends map[kafka.TopicPartition]int64, committed map[kafka.TopicPartition]kafka.Committed, err error) {
	ctx, cancel := context.WithTimeout(ctx, endsInterval)
	defer cancel()
	if committed, err = in.logs.FetchCommitted(ctx, stand); err != nil {
		return nil, nil, err
	}
	ends, err = kafka.ListOffsets(ctx, in.admin, kafka.LastStable, slices.Concat(read, stand))
	return ends, committed, err
}

// restoringSlots are those whose tasks restore, or wait until they can.
func (in *Instance) restoringSlots() (slots []*slot) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.mu.slots {
		if s.run == nil {
			slots = append(slots, s)
		}
	}
	return slots
}

// stands notes where the inputs of a slot that restores stand. Of one that the group has
// committed nothing of, that is not known before the task has begun.
func (in *Instance) stands(s *slot, committed map[kafka.TopicPartition]kafka.Committed, ends map[kafka.TopicPartition]int64) {
	var stands []worker.Input
	for _, tp := range s.inputs() {
		if c, ok := committed[tp]; ok {
			i := worker.Input{Topic: tp.Topic, Partition: tp.Partition, Position: c.Offset, End: max(ends[tp], c.Offset), Time: offsetmeta.Unknown}
			if meta, err := offsetmeta.Decode(c.Metadata); err == nil {
				i.Time = meta.PartitionTime
			}
			stands = append(stands, i)
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	s.stands = stands
}

// stand is where the inputs of all tasks stand, as far as is known.
func (in *Instance) stand() (inputs []worker.Input) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.mu.slots {
		if s.run != nil {
			inputs = append(inputs, s.run.Inputs()...)
		} else {
			inputs = append(inputs, s.stands...)
		}
	}
	return inputs
}
