// Package operate is what an operator asks of an application from outside, by what the
// brokers know of its group: who has which task and how far it is, and to begin anew.
// It needs no process of the application, and runs none.
package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/task"
)

// An Application is one whose group is looked at.
type Application struct {
	Name string
	Plan *task.Plan

	// Why a start is refused for the partition counts of topics, or nil. What is wrong with
	// the source topics is Faults; Misfits are internal topics, which a reset deletes.
	Faults, Misfits error

	cl     *kadm.Client
	layout *layout.Layout
	topics kadm.TopicDetails // that exist, and what may be done with them
}

// Open reads which topics an application has. Those that do not fit keep nobody from
// looking at the others. The client stays the caller's.
func Open(ctx context.Context, cl *kgo.Client, name string, plan *task.Plan) (*Application, error) {
	a := &Application{Name: name, Plan: plan, cl: kadm.NewClient(cl)}
	var err error
	if a.topics, err = a.cl.ListTopics(kadm.WithAuthorizedOps(ctx)); err != nil { // never from the client's cache
		return nil, fmt.Errorf("topics: %w", err)
	}
	a.Plan, _ = plan.Expand(name, a.topics.Names()) // a pattern that matches nothing has no tasks
	counts := map[string]int32{}
	for topic, detail := range a.topics {
		counts[topic] = int32(len(detail.Partitions))
	}
	if a.layout, a.Faults = layout.Resolve(a.Plan, name, counts); a.Faults == nil {
		a.Misfits = a.layout.Misfits(counts)
	}
	return a, nil
}

// An Input is one partition that a task reads, and where the group has committed it.
type Input struct {
	Task      string
	Owner     string // instance id, else member id; empty if nobody has it
	Host      string
	Topic     string
	Partition int32
	Position  int64 // -1: nothing is committed
	End       int64 // the last stable offset
}

// Lag is how many offsets are not processed; all that the partition holds, if nothing is
// committed.
func (in Input) Lag(start int64) int64 { return max(0, in.End-max(in.Position, start)) }

// A View is what a group looks like.
type View struct {
	State    string // the brokers' word
	Members  int
	Inputs   []Input
	Starts   map[string]map[int32]int64 // where the partitions' logs begin
	Standbys []Standby
}

// Tasks returns the tasks in order, each with its inputs, and the copies of their state.
func (a *Application) Tasks(ctx context.Context) (v View, err error) {
	group, err := a.group(ctx)
	if err != nil {
		return v, err
	}
	v.State, v.Members = group.State, len(group.Members)
	type partition struct {
		topic  string
		number int32
	}
	owners := map[partition]kadm.DescribedGroupMember{}
	for _, m := range group.Members {
		assigned, ok := m.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			for _, p := range t.Partitions {
				owners[partition{t.Topic, p}] = m
			}
		}
	}
	topics := a.inputs()
	offsets, err := a.committed(ctx)
	if err != nil {
		return v, err
	}
	if v.Standbys, err = a.standbys(ctx, group, offsets); err != nil {
		return v, err
	}
	ends, err := a.cl.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return v, fmt.Errorf("ends of partitions: %w", err)
	}
	if v.Starts, err = a.starts(ctx, topics); err != nil {
		return v, err
	}
	for _, sub := range a.layout.Subs {
		for i, topic := range sub.Topics {
			for p := range sub.Counts[i] {
				in := Input{Task: fmt.Sprintf("%d_%d", sub.ID, p), Topic: topic, Partition: p, Position: -1}
				if m, ok := owners[partition{topic, p}]; ok {
					in.Owner, in.Host = nameOf(m), m.ClientHost
				}
				if o, ok := offsets.Lookup(topic, p); ok && o.Err == nil {
					in.Position = o.At
				}
				if o, ok := ends.Lookup(topic, p); ok {
					in.End = o.Offset
				}
				v.Inputs = append(v.Inputs, in)
			}
		}
	}
	slices.SortStableFunc(v.Inputs, func(a, b Input) int { return cmp.Compare(a.Partition, b.Partition) })
	slices.SortStableFunc(v.Inputs, func(a, b Input) int { return cmp.Compare(subOf(a.Task), subOf(b.Task)) })
	return v, nil
}

func subOf(id string) (sub int) {
	_, _ = fmt.Sscanf(id, "%d_", &sub) // made above
	return sub
}

func (a *Application) group(ctx context.Context) (kadm.DescribedGroup, error) {
	groups, err := a.cl.DescribeGroups(ctx, a.Name)
	if err != nil {
		return kadm.DescribedGroup{}, fmt.Errorf("group %s: %w", a.Name, err)
	}
	return groups[a.Name], nil // one that does not exist is Dead
}

// committed are the group's offsets.
func (a *Application) committed(ctx context.Context) (kadm.OffsetResponses, error) {
	offsets, err := a.cl.FetchOffsets(ctx, a.Name)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // it has never run
		return nil, fmt.Errorf("committed offsets: %w", err)
	}
	return offsets, nil
}

// inputs are the topics that tasks read and that exist: an internal one may not, before
// the first start.
func (a *Application) inputs() (topics []string) {
	for _, sub := range a.layout.Subs {
		for _, topic := range sub.Topics {
			if a.topics.Has(topic) {
				topics = append(topics, topic)
			}
		}
	}
	return topics
}

func (a *Application) starts(ctx context.Context, topics []string) (map[string]map[int32]int64, error) {
	listed, err := a.cl.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("starts of partitions: %w", err)
	}
	starts := map[string]map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if starts[o.Topic] == nil {
			starts[o.Topic] = map[int32]int64{}
		}
		starts[o.Topic][o.Partition] = o.Offset
	})
	return starts, nil
}
