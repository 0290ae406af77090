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
	Start     int64 // of its log; -1: not known
	End       int64 // the last stable offset; -1: not known
}

// Lag is how many offsets are not processed; all that the partition holds, if nothing is
// committed. -1: not known.
func (in Input) Lag() int64 {
	if in.Start < 0 || in.End < 0 {
		return -1
	}
	return max(0, in.End-max(in.Position, in.Start))
}

// A View is what a group looks like.
type View struct {
	State    string // the brokers' word
	Members  int
	Inputs   []Input
	Standbys []Standby
	Gaps     error // why some starts and ends are not known, or nil
}

// Tasks returns the tasks in order, each with its inputs, and the copies of their state.
// A partition that has no leader leaves a gap: who looks may be looking for just that.
func (a *Application) Tasks(ctx context.Context) (v View, err error) {
	group, err := a.group(ctx)
	if err != nil {
		return v, err
	}
	v.State, v.Members = group.State, len(group.Members)
	owners := ownersOf(group)
	topics := a.inputs()
	offsets, err := a.committed(ctx)
	if err != nil {
		return v, err
	}
	stateEnds, err := a.stateEnds(ctx, &v, offsets)
	if err != nil {
		return v, err
	}
	if v.Standbys, err = a.standbys(group, stateEnds); err != nil {
		return v, err
	}
	ends, err := v.listed(ctx, "ends of partitions", a.cl.ListCommittedOffsets, topics)
	if err != nil {
		return v, err
	}
	starts, err := v.listed(ctx, "starts of partitions", a.cl.ListStartOffsets, topics)
	if err != nil {
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
				in.Start, in.End = a.offsetOf(starts, topic, p), a.offsetOf(ends, topic, p)
				v.Inputs = append(v.Inputs, in)
			}
		}
	}
	if v.Gaps != nil && !slices.ContainsFunc(v.Inputs, func(in Input) bool { return in.End >= 0 }) {
		return v, v.Gaps
	}
	slices.SortStableFunc(v.Inputs, func(a, b Input) int { return cmp.Compare(a.Partition, b.Partition) })
	slices.SortStableFunc(v.Inputs, func(a, b Input) int { return cmp.Compare(subOf(a.Task), subOf(b.Task)) })
	return v, nil
}

type partition struct {
	topic  string
	number int32
}

// ownersOf are the members that have partitions.
func ownersOf(group kadm.DescribedGroup) map[partition]kadm.DescribedGroupMember {
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
	return owners
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

// listed are offsets of topics. Those of partitions that cannot be asked are left out, and
// become a gap.
func (v *View) listed(ctx context.Context, what string, list func(context.Context, ...string) (kadm.ListedOffsets, error), topics []string) (kadm.ListedOffsets, error) {
	offsets, err := list(ctx, topics...)
	switch _, some := errors.AsType[*kadm.ShardErrors](err); {
	case err == nil:
		err = offsets.Error()
	case !some:
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if err != nil {
		v.Gaps = errors.Join(v.Gaps, fmt.Errorf("%s: some are not known: %w", what, err))
	}
	return offsets, nil
}

// offsetOf is an offset that was listed, or -1 if it was not. A partition that does not
// exist yet holds nothing.
func (a *Application) offsetOf(listed kadm.ListedOffsets, topic string, partition int32) int64 {
	if _, exists := a.topics[topic].Partitions[partition]; !exists {
		return 0
	}
	if o, ok := listed.Lookup(topic, partition); ok && o.Err == nil {
		return o.Offset
	}
	return -1
}
