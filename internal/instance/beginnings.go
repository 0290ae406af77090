package instance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/task"
)

// tellBeginnings says which inputs will begin without a committed offset, although the
// group has others: one line for each topic. It comes before the process joins, since a
// task that has begun soon has an offset.
//
// A task that has begun has committed all inputs that it had. One that lacks an offset
// now is new to it, because the topology or the topic has grown, or has lost it. If the
// task has state, and its inputs are not those of its last commit, that is a warning; if
// they are, the offset is lost, and the task will refuse to start.
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
		switch {
		case hadOffset(sub, p, committed):
		case known && sub.Stateful():
			begun = append(begun, p)
		default:
			other = append(other, p)
		}
	}
	if len(begun) > 0 {
		in.log.Warn("an input of tasks with state has no committed offset, and others of theirs have: all is well if it is new to the application; if its offset was lost, "+
			"records of it take effect once more, or never: stop all processes, and set it to where the state was true with Kafka's tools",
			"group", in.cfg.App, "topic", topic, "partitions", begun, "begins", begin)
	}
	if len(other) > 0 {
		in.log.Info("partitions of a topic begin without a committed offset", "group", in.cfg.App, "topic", topic, "partitions", other, "begins", begin)
	}
}

// hadOffset reports whether a task with state had offsets of all that it reads when it
// last committed. An input that has none now has lost it.
func hadOffset(sub *layout.Sub, partition int32, committed map[kafka.TopicPartition]kafka.Committed) bool {
	if !sub.Stateful() {
		return false
	}
	var topics []string
	for _, topic := range sub.Inputs(partition) {
		topics = append(topics, topic)
	}
	return slices.ContainsFunc(topics, func(topic string) bool {
		c, ok := committed[kafka.TopicPartition{Topic: topic, Partition: partition}]
		m, err := offsetmeta.Decode(c.Metadata)
		return ok && err == nil && task.HadInputs(m, topics)
	})
}

// lostOffset is the error of a task with state one of whose inputs has lost its offset: to
// begin at either end of that would count its records twice, or lose them.
func (in *Instance) lostOffset(tp kafka.TopicPartition) error {
	return fmt.Errorf("group %q has %w for %s, which the task had when it last committed, and has those of its other inputs: the offset has expired or was deleted. "+
		"Stop all processes, and set it to where the state was true with Kafka's tools (kafka-consumer-groups --reset-offsets), or reset %q, and it starts from nothing",
		in.cfg.App, errLostOffsets, tp, in.cfg.App)
}
