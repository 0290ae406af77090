// Package assign decides which member of a group runs which task. It is pure
// arithmetic: it knows no Kafka, no clock and no network, and the same group has
// the same assignment whatever the order in which it is described.
package assign

import (
	"cmp"
	"maps"
	"slices"
)

// A Group is what Assign decides about.
type Group struct {
	Members []Member
	Subs    []Sub

	Standbys      int      // copies of each stateful task's state, besides the active one
	AcceptableLag int64    // records: who lacks no more than this of a task's state is ready to run it
	Warmups       int      // how many tasks may be on the way to a member that is not ready; 0: any number
	SpreadBy      []string // tags: the copies of a task are put where these differ, the first ones first

	// Weights is what tasks weigh, in thousandths of a worker's time, where that is known:
	// measured, so never exact.
	Weights map[Task]int64
}

// A Member is one process that can run tasks.
type Member struct {
	ID    string            // unique in the group; equals are decided by its order
	Owned []Task            // what it runs now; unknown tasks are ignored
	Held  map[Task]int64    // changelog positions of the state it has, those of all stores of a task added up
	Tags  map[string]string // where it is: rack, zone
}

// A Sub is a sub-topology: one task for each of its partitions.
type Sub struct {
	ID         int // unique in the group
	Stateful   bool
	Partitions int32
}

// An Assignment is one member's share.
type Assignment struct {
	Active  []Task // in order
	Standby []Task // in order: their changelogs are followed
	Warming []Task // of Standby: those that it is to run once it is ready
}

// Assign gives every task of the group to exactly one member and returns the
// members' shares by their ids, empty ones included. Without members it returns
// none. It guarantees, in this order:
//
//   - Balance: the numbers of stateful tasks of any two members differ by at most
//     one, and so do those of stateless tasks and those of all tasks.
//   - Stickiness: no assignment with this balance takes fewer tasks from members
//     that own them. If one member joins, tasks move to it alone; if one leaves,
//     only its tasks move; a second Assign moves nothing.
//   - Spread: a task goes to a member with the fewest tasks of its sub-topology.
//     If nobody owns anything, the tasks of each sub-topology are balanced too.
//   - Weight: where tasks are known to weigh differently, more of them move, or others,
//     if that makes the heaviest member lighter by a fifth or more; see level. A second
//     Assign still moves nothing, and no task goes to and fro with weights that waver.
//
// A task that two members own counts as owned by the first of them.
//
// State comes before balance. If the member that a stateful task is meant for is not
// ready to run it and another is, the other runs it for now, and the one it is meant
// for warms up: once it is ready, an Assign moves the task to it. Who is ready is
// measured by who has most of a task's state: a task of which nobody has any can be
// run by anyone. See replicate for where standby copies go.
//
// That stateless tasks are balanced on their own is what makes the second promise
// possible. If only stateful tasks and the total were, four members could have
// (2,0) (2,0) (1,2) (1,2) stateful and stateless tasks. A fifth makes that one
// stateful task and one stateless for each, two stateful for one of them; and so
// somebody has to give a stateless task to one of the first two.
func Assign(g Group) map[string]Assignment {
	if len(g.Members) == 0 {
		return nil
	}
	p := newPlan(g)
	p.setQuotas()
	p.shed()
	p.deal()
	p.level()
	p.postpone(g.Warmups)
	p.replicate(g.Standbys)
	return p.assignments()
}

// A kind of task is balanced on its own.
type kind int

const (
	stateful kind = iota
	stateless
	kinds
)

// A plan is an assignment in the making.
type plan struct {
	subs  []Sub   // by id
	seats []*seat // by member id
	free  map[int][]Task
	group Group
	most  map[Task]int64 // the most that anyone has of a task's state
	owner map[Task]*seat // who runs it now

	// For level.
	weights map[Task]int64 // of all tasks; nil: none is known
	home    map[Task]*seat // where a task had best stay
	settled map[Task]*seat // the tasks that would stay with their owners but for their weight
}

// A seat is a member's place in the plan.
type seat struct {
	Member
	tasks   map[int][]Task // by sub-topology, in order
	count   [kinds]int     // how many tasks it has
	quota   [kinds]int     // how many it shall have
	load    int64          // what its tasks weigh
	standby []Task
	warming []Task
	waiting []Task // it is ready for, but others go with them
}

func kindOf(s Sub) kind {
	if s.Stateful {
		return stateful
	}
	return stateless
}

// newPlan seats the members on what they own; the rest is free.
func newPlan(g Group) *plan {
	p := &plan{subs: slices.Clone(g.Subs), free: map[int][]Task{}, group: g, most: map[Task]int64{}, owner: map[Task]*seat{}}
	slices.SortFunc(p.subs, func(a, b Sub) int { return cmp.Compare(a.ID, b.ID) })

	members := slices.Clone(g.Members)
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	for _, m := range members {
		s := &seat{Member: m, tasks: map[int][]Task{}}
		p.seats = append(p.seats, s)
		for _, t := range m.Owned {
			if p.owner[t] == nil {
				p.owner[t] = s
			}
		}
		for t, n := range m.Held {
			p.most[t] = max(p.most[t], n)
		}
	}
	for _, sub := range p.subs {
		for i := range sub.Partitions {
			t := Task{Sub: sub.ID, Partition: i}
			if s := p.owner[t]; s != nil {
				s.take(t, kindOf(sub))
			} else {
				p.free[sub.ID] = append(p.free[sub.ID], t)
			}
		}
	}
	return p
}

func (s *seat) take(t Task, k kind) {
	s.tasks[t.Sub] = append(s.tasks[t.Sub], t)
	s.count[k]++
}

// setQuotas decides how many tasks each seat shall have.
func (p *plan) setQuotas() {
	have := make([][kinds]int, len(p.seats))
	var total [kinds]int
	for i, s := range p.seats {
		have[i] = s.count
	}
	for _, sub := range p.subs {
		total[kindOf(sub)] += int(sub.Partitions)
	}
	for i, q := range quotas(have, total) {
		p.seats[i].quota = q
	}
}

// shed frees what the seats have above their quotas, first from the
// sub-topology of which a seat has most above its fair share, and of equal ones
// from that of which the fewest are free, so that those who take do not get all of
// them from one.
func (p *plan) shed() {
	for _, s := range p.seats {
		for k := range kinds {
			for s.count[k] > s.quota[k] {
				sub := slices.MaxFunc(p.ofKind(k), func(a, b Sub) int {
					return cmp.Or(
						cmp.Compare(p.excess(s, a), p.excess(s, b)),
						cmp.Compare(len(p.free[b.ID]), len(p.free[a.ID])),
						cmp.Compare(b.ID, a.ID))
				})
				owned := s.tasks[sub.ID]
				last := len(owned) - 1
				p.free[sub.ID] = append(p.free[sub.ID], owned[last])
				s.tasks[sub.ID] = owned[:last]
				s.count[k]--
			}
		}
	}
}

// excess is how far a seat is above its fair share of a sub-topology, times the
// number of seats.
func (p *plan) excess(s *seat, sub Sub) int {
	return len(s.tasks[sub.ID])*len(p.seats) - int(sub.Partitions)
}

func (p *plan) ofKind(k kind) []Sub {
	return slices.DeleteFunc(slices.Clone(p.subs), func(s Sub) bool { return kindOf(s) != k })
}

// deal gives the free tasks to the seats below their quotas: first those whose state
// somebody has who could take them.
func (p *plan) deal() {
	for _, sub := range p.subs {
		free := p.free[sub.ID]
		slices.SortFunc(free, Task.Compare)
		p.free[sub.ID] = slices.DeleteFunc(free, func(t Task) bool {
			return p.most[t] > 0 && p.give(t, kindOf(sub), func(s *seat) bool { return p.ready(s, t) })
		})
	}
	for _, sub := range p.subs {
		for _, t := range p.free[sub.ID] {
			p.give(t, kindOf(sub), func(*seat) bool { return true })
		}
	}
}

// give deals one task to a seat that may have it, if one of those is below its quota.
func (p *plan) give(t Task, k kind, may func(*seat) bool) bool {
	seats := slices.DeleteFunc(slices.Clone(p.seats), func(s *seat) bool { return s.count[k] >= s.quota[k] || !may(s) })
	if len(seats) == 0 {
		return false
	}
	slices.MinFunc(seats, func(a, b *seat) int {
		return cmp.Or(
			cmp.Compare(len(a.tasks[t.Sub]), len(b.tasks[t.Sub])),
			cmp.Compare(b.quota[k]-b.count[k], a.quota[k]-a.count[k]),
			cmp.Compare(b.Held[t], a.Held[t]),
			cmp.Compare(a.ID, b.ID))
	}).take(t, k)
	return true
}

func (p *plan) assignments() map[string]Assignment {
	out := make(map[string]Assignment, len(p.seats))
	for _, s := range p.seats {
		tasks := slices.Concat(slices.Collect(maps.Values(s.tasks))...)
		slices.SortFunc(tasks, Task.Compare)
		slices.SortFunc(s.standby, Task.Compare)
		slices.SortFunc(s.warming, Task.Compare)
		out[s.ID] = Assignment{Active: tasks, Standby: s.standby, Warming: s.warming}
	}
	return out
}
