package instance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
)

// watchGrowth ends the process when a topic that it reads has gained partitions. Nobody
// else would tell of those of global tables, which the group does not read, and the
// group's leader sees those of the others only when its client next renews its metadata.
func (in *Instance) watchGrowth(ctx context.Context) error {
	names := in.watched()
	for range every(ctx, endsInterval) {
		now, err := in.askTopics(ctx, names)
		if err != nil {
			in.log.Debug("it is not known whether topics have gained partitions", "err", err)
			continue
		}
		for _, name := range names {
			if had, has := in.topics[name], now[name]; has.ID == had.ID && has.Partitions > had.Partitions { // another one is not read on
				err = errors.Join(err, fmt.Errorf("topic %q has gained partitions: it had %d when this process started, and has %d now; start it again to take them up", name, had.Partitions, has.Partitions))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// watched are the topics that are read, by tasks and for global tables.
func (in *Instance) watched() []string {
	names := map[string]bool{}
	for _, sub := range in.layout.Subs {
		for _, topic := range sub.Topics {
			names[topic] = true
		}
	}
	for _, topic := range topicsOf(in.cfg.Plan.Globals) {
		names[topic] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func (in *Instance) askTopics(ctx context.Context, names []string) (map[string]kafka.Topic, error) {
	ctx, cancel := context.WithTimeout(ctx, endsInterval)
	defer cancel()
	return kafka.Describe(ctx, in.admin, names)
}

// misfit is why a task cannot read the topics that the group gives it; nil if these are
// the ones which this process has seen at its start.
func misfit(t assign.Task, sub *layout.Sub, given []string) error {
	for i, topic := range sub.Topics {
		switch seen, gets := t.Partition < sub.Counts[i], slices.Contains(given, topic); {
		case gets && !seen:
			return fmt.Errorf("task %s: topic %q has gained partitions: it had %d when this process started, and has %d or more now; start it again to take them up", t, topic, sub.Counts[i], t.Partition+1)
		case seen && !gets:
			return fmt.Errorf("task %s: the group's leader does not know yet of partition %d of topic %q, which has %d: start this process again", t, t.Partition, topic, sub.Counts[i])
		}
	}
	return nil
}
