package member

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
)

// A Sub is a sub-topology as the group sees it. It has as many tasks as the widest
// of its topics has partitions; task p reads partition p of each topic that has
// one.
type Sub struct {
	ID       int
	Topics   []string // source and repartition topics it reads, resolved
	Stateful bool
}

// A topology knows which task a partition belongs to.
type topology struct {
	subs []Sub
	of   map[string]int // sub-topology's id by topic
}

func newTopology(subs []Sub) (*topology, error) {
	t := &topology{subs: subs, of: map[string]int{}}
	seen := map[int]bool{}
	var errs []error
	if len(subs) == 0 {
		errs = append(errs, errors.New("no sub-topology"))
	}
	for _, s := range subs {
		if seen[s.ID] {
			errs = append(errs, fmt.Errorf("two sub-topologies %d", s.ID))
		}
		seen[s.ID] = true
		if len(s.Topics) == 0 {
			errs = append(errs, fmt.Errorf("sub-topology %d reads no topic", s.ID))
		}
		for _, topic := range s.Topics {
			if other, ok := t.of[topic]; ok {
				errs = append(errs, fmt.Errorf("topic %q is read by sub-topology %d and by %d: a partition has one owner, merge them", topic, other, s.ID))
			}
			t.of[topic] = s.ID
		}
	}
	return t, errors.Join(errs...)
}

// topics are all topics that are read.
func (t *topology) topics() []string {
	var out []string
	for _, s := range t.subs {
		out = append(out, s.Topics...)
	}
	return out
}

// sizes gives every sub-topology its tasks, given the topics' partition counts.
func (t *topology) sizes(counts map[string]int32) []assign.Sub {
	var out []assign.Sub
	for _, s := range t.subs {
		a := assign.Sub{ID: s.ID, Stateful: s.Stateful}
		for _, topic := range s.Topics {
			a.Partitions = max(a.Partitions, counts[topic])
		}
		out = append(out, a)
	}
	return out
}

// inputs are the topics that a task reads.
func (t *topology) inputs(task assign.Task, counts map[string]int32) []string {
	i := slices.IndexFunc(t.subs, func(s Sub) bool { return s.ID == task.Sub })
	return slices.DeleteFunc(slices.Clone(t.subs[i].Topics), func(topic string) bool { return counts[topic] <= task.Partition })
}

// tasks reads an assignment of partitions as tasks with their inputs, in order.
func (t *topology) tasks(assigned []kmsg.ConsumerMemberAssignmentTopic) (tasks, error) {
	out := tasks{}
	for _, a := range assigned {
		sub, ok := t.of[a.Topic]
		if !ok {
			return nil, fmt.Errorf("assigned topic %q: %w", a.Topic, ErrUnknownTopic)
		}
		for _, p := range a.Partitions {
			task := assign.Task{Sub: sub, Partition: p}
			out[task] = append(out[task], a.Topic)
		}
	}
	for _, inputs := range out {
		slices.Sort(inputs)
	}
	return out, nil
}

// tasks are tasks with the topics that each of them reads, at its partition.
type tasks map[assign.Task][]string

// partitions are the tasks' inputs by topic, both in order.
func (ts tasks) partitions() []topicPartitions {
	by := map[string][]int32{}
	for task, inputs := range ts {
		for _, topic := range inputs {
			by[topic] = append(by[topic], task.Partition)
		}
	}
	return sortedPartitions(by)
}
