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
}

// A Member is one process that can run tasks.
type Member struct {
	ID    string // unique in the group; equals are decided by its order
	Owned []Task // what it runs now; unknown tasks are ignored
}

// A Sub is a sub-topology: one task for each of its partitions.
type Sub struct {
	ID         int // unique in the group
	Stateful   bool
	Partitions int32
}

// An Assignment is one member's share.
type Assignment struct {
	Active []Task // in order
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
//
// A task that two members own counts as owned by the first of them.
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
}

// A seat is a member's place in the plan.
type seat struct {
	member string
	tasks  map[int][]Task // by sub-topology, in order
	count  [kinds]int     // how many tasks it has
	quota  [kinds]int     // how many it shall have
}

func kindOf(s Sub) kind {
	if s.Stateful {
		return stateful
	}
	return stateless
}

// newPlan seats the members on what they own; the rest is free.
func newPlan(g Group) *plan {
	p := &plan{subs: slices.Clone(g.Subs), free: map[int][]Task{}}
	slices.SortFunc(p.subs, func(a, b Sub) int { return cmp.Compare(a.ID, b.ID) })

	members := slices.Clone(g.Members)
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	owner := map[Task]*seat{}
	for _, m := range members {
		s := &seat{member: m.ID, tasks: map[int][]Task{}}
		p.seats = append(p.seats, s)
		for _, t := range m.Owned {
			if owner[t] == nil {
				owner[t] = s
			}
		}
	}
	for _, sub := range p.subs {
		for i := range sub.Partitions {
			t := Task{Sub: sub.ID, Partition: i}
			if s := owner[t]; s != nil {
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

// deal gives the free tasks to the seats below their quotas.
func (p *plan) deal() {
	for _, sub := range p.subs {
		k := kindOf(sub)
		free := p.free[sub.ID]
		slices.SortFunc(free, Task.Compare)
		for _, t := range free {
			slices.MinFunc(p.hungry(k), func(a, b *seat) int {
				return cmp.Or(
					cmp.Compare(len(a.tasks[t.Sub]), len(b.tasks[t.Sub])),
					cmp.Compare(b.quota[k]-b.count[k], a.quota[k]-a.count[k]),
					cmp.Compare(a.member, b.member))
			}).take(t, k)
		}
	}
}

func (p *plan) hungry(k kind) []*seat {
	return slices.DeleteFunc(slices.Clone(p.seats), func(s *seat) bool { return s.count[k] >= s.quota[k] })
}

func (p *plan) assignments() map[string]Assignment {
	out := make(map[string]Assignment, len(p.seats))
	for _, s := range p.seats {
		tasks := slices.Concat(slices.Collect(maps.Values(s.tasks))...)
		slices.SortFunc(tasks, Task.Compare)
		out[s.member] = Assignment{Active: tasks}
	}
	return out
}
