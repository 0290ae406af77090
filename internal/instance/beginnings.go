package instance

import (
	"context"
	"time"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
)

// tellBeginnings says which inputs will begin without a committed offset, although the
// group has others: one line for each topic. It comes before the process joins, since a
// task that has begun soon has an offset.
//
// A task that has begun has committed all inputs that it had. One that lacks an offset
// now is new to it, because the topology or the topic has grown, or has lost it: what is
// stored does not tell which. If the task has state, that is a warning.
func (in *Instance) tellBeginnings(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var inputs []kafka.TopicPartition
	for i := range in.layout.Subs {
		sub := &in.layout.Subs[i]
		for j, topic := range sub.Topics {
			for p := range sub.Counts[j] {
				inputs = append(inputs, kafka.TopicPartition{Topic: topic, Partition: p})
			}
		}
	}
	committed, err := in.logs.FetchCommitted(ctx, inputs)
	if err != nil {
		in.log.Debug("it is not known which inputs have no committed offset", "err", err)
		return
	}
	if len(committed) == 0 {
		return // all is new, or all is lost: then state refuses to start
	}
	for i := range in.layout.Subs {
		for j := range in.layout.Subs[i].Topics {
			in.tellBeginning(&in.layout.Subs[i], j, committed)
		}
	}
}

// tellBeginning does so for one source of a sub-topology.
func (in *Instance) tellBeginning(sub *layout.Sub, source int, committed map[kafka.TopicPartition]kafka.Committed) {
	topic, begin := sub.Topics[source], sub.Sources[source].Start
	var begun, other []int32 // partitions of tasks that have state and offsets, and of others
	for p := range sub.Counts[source] {
		if _, ok := committed[kafka.TopicPartition{Topic: topic, Partition: p}]; ok {
			continue
		}
		known := false
		for _, t := range sub.Topics {
			_, ok := committed[kafka.TopicPartition{Topic: t, Partition: p}]
			known = known || ok
		}
		if known && sub.Stateful() {
			begun = append(begun, p)
		} else {
			other = append(other, p)
		}
	}
	if len(begun) > 0 {
		in.log.Warn("an input of tasks with state has no committed offset, and others of theirs have: all is well if it is new to the application; if its offset was lost, "+
			"records of it take effect once more, or never: stop all processes, and set it to where the state was true, with `processor reset --to` or Kafka's tools",
			"group", in.cfg.App, "topic", topic, "partitions", begun, "begins", begin)
	}
	if len(other) > 0 {
		in.log.Info("partitions of a topic begin without a committed offset", "group", in.cfg.App, "topic", topic, "partitions", other, "begins", begin)
	}
}
