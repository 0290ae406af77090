package operate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/member"
)

// A Standby is a copy of a task's state that a process keeps beside the one that is worked
// on. Positions are those in all changelogs of the task, added up. A source topic that
// serves as a changelog ends for it where the group has committed it.
type Standby struct {
	Task        string
	Owner, Host string // as in Input
	Warming     bool   // the task moves there once the copy has caught up
	Position    int64  // when its owner last joined the group; it follows since then. -1: it had nothing
	End         int64  // now; -1: not known
}

// Lag is how many records the copy lacked at most. -1: not known.
func (s Standby) Lag() int64 {
	if s.End < 0 {
		return -1
	}
	return max(0, s.End-max(s.Position, 0))
}

// standbys are the copies in a group, by task. ends are those of the tasks' state.
func (a *Application) standbys(group kadm.DescribedGroup, ends map[assign.Task]int64) ([]Standby, error) {
	found := map[assign.Task][]Standby{}
	for _, m := range group.Members {
		assigned, ok := m.Assigned.AsConsumer()
		joined, joins := m.Join.AsConsumer()
		if !ok || !joins || assigned.UserData == nil {
			continue
		}
		tasks, warming, err := member.Standbys(assigned.UserData)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", m.MemberID, err)
		}
		held, err := member.Held(joined.UserData)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", m.MemberID, err)
		}
		for _, t := range tasks {
			s := Standby{Task: t.String(), Owner: nameOf(m), Host: m.ClientHost, Warming: slices.Contains(warming, t), Position: -1, End: ends[t]}
			if at, ok := held[t]; ok {
				s.Position = at
			}
			found[t] = append(found[t], s)
		}
	}
	var all []Standby
	for t := range found {
		slices.SortFunc(found[t], func(a, b Standby) int { return cmp.Compare(a.Owner, b.Owner) })
	}
	for _, sub := range a.layout.Subs {
		for p := range sub.Partitions {
			all = append(all, found[assign.Task{Sub: sub.ID, Partition: p}]...)
		}
	}
	return all, nil
}

// stateEnds are the ends of tasks' changelogs, added up; -1 where one is not known.
func (a *Application) stateEnds(ctx context.Context, v *View, offsets kadm.OffsetResponses) (map[assign.Task]int64, error) {
	of := map[string]layout.Sub{} // sub-topologies by changelog
	var topics []string
	ends := map[assign.Task]int64{}
	for _, sub := range a.layout.Subs {
		for _, s := range sub.Stores {
			topic, own, ok := s.Changelog(a.Name)
			switch {
			case !ok || !a.topics.Has(topic):
			case own:
				of[topic], topics = sub, append(topics, topic)
			default:
				for p := range sub.Partitions {
					if o, ok := offsets.Lookup(topic, p); ok && o.Err == nil {
						ends[assign.Task{Sub: sub.ID, Partition: p}] += max(0, o.At)
					}
				}
			}
		}
	}
	if len(topics) == 0 {
		return ends, nil
	}
	listed, err := v.listed(ctx, "ends of changelogs", a.cl.ListCommittedOffsets, topics)
	if err != nil {
		return nil, err
	}
	for topic, sub := range of {
		for p := range sub.Partitions {
			t := assign.Task{Sub: sub.ID, Partition: p}
			if end := a.offsetOf(listed, topic, p); end < 0 || ends[t] < 0 {
				ends[t] = -1
			} else {
				ends[t] += end
			}
		}
	}
	return ends, nil
}

// nameOf is a member's instance id, else its member id.
func nameOf(m kadm.DescribedGroupMember) string {
	if m.InstanceID != nil {
		return *m.InstanceID
	}
	return m.MemberID
}
