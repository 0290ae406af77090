package assign

import (
	"cmp"
	"slices"
)

// ready reports whether a seat has a task's state, but for an acceptable lag. Who runs
// a task has its state, whatever it says: what it holds in memory is not counted.
func (p *plan) ready(s *seat, t Task) bool {
	return p.owner[t] == s || p.most[t]-s.Held[t] <= p.group.AcceptableLag
}

// postpone leaves stateful tasks with a seat that is ready while the one that they are
// meant for is not, and lets that one warm up, no more than so many at a time.
func (p *plan) postpone(limit int) {
	waits := p.waits()
	for _, sub := range p.subs {
		for i := range sub.Partitions {
			t := Task{Sub: sub.ID, Partition: i}
			meant := p.seatOf(t)
			ready := !sub.Stateful || p.ready(meant, t)
			if ready && !waits[t] {
				continue
			}
			meant.drop(t, kindOf(sub))
			p.standIn(t).take(t, kindOf(sub))
			switch {
			case !sub.Stateful:
			case ready:
				meant.waiting = append(meant.waiting, t)
			case limit == 0 || p.warming() < limit:
				meant.warming = append(meant.warming, t)
			}
		}
	}
}

// standIn is who runs a task while another warms up: its owner if that is ready, else
// the least busy of those who are. Whoever has most of the state is.
func (p *plan) standIn(t Task) *seat {
	ready := slices.DeleteFunc(slices.Clone(p.seats), func(s *seat) bool { return !p.ready(s, t) })
	return slices.MinFunc(ready, func(a, b *seat) int {
		return cmp.Or(
			-cmp.Compare(bit(p.owner[t] == a), bit(p.owner[t] == b)),
			cmp.Compare(a.count[stateful], b.count[stateful]),
			cmp.Compare(b.Held[t], a.Held[t]),
			cmp.Compare(a.ID, b.ID))
	})
}

// replicate gives each stateful task its standby copies: on other members than the
// active one, and in this order where it can choose,
//
//   - where the tags differ from those of the copies that are placed;
//   - where no more copies are than there would be if all had as many;
//   - where the most of the state is;
//   - where the fewest copies are.
//
// A copy that warms up, or waits for others to, is not one of them.
func (p *plan) replicate(copies int) {
	total := 0
	for _, sub := range p.ofKind(stateful) {
		total += int(sub.Partitions)
	}
	copies = min(copies, len(p.seats)-1)
	share := (total*copies + len(p.seats) - 1) / len(p.seats)
	for _, sub := range p.ofKind(stateful) {
		for i := range sub.Partitions {
			t := Task{Sub: sub.ID, Partition: i}
			placed := []*seat{p.seatOf(t)}
			for range copies {
				s := p.place(t, placed, share)
				s.standby = append(s.standby, t)
				placed = append(placed, s)
			}
		}
	}
	for _, s := range p.seats {
		for _, t := range slices.Concat(s.warming, s.waiting) {
			if !slices.Contains(s.standby, t) {
				s.standby = append(s.standby, t)
			}
		}
	}
}

// place finds the seat for one more copy of a task.
func (p *plan) place(t Task, placed []*seat, share int) *seat {
	free := slices.DeleteFunc(slices.Clone(p.seats), func(s *seat) bool { return slices.Contains(placed, s) })
	return slices.MinFunc(free, func(a, b *seat) int {
		return cmp.Or(
			p.compareTags(a, b, placed),
			cmp.Compare(max(len(a.standby), share-1), max(len(b.standby), share-1)),
			cmp.Compare(b.Held[t], a.Held[t]),
			cmp.Compare(len(a.standby), len(b.standby)),
			cmp.Compare(a.ID, b.ID))
	})
}

// compareTags prefers the seat whose tags fewer of the placed ones share, tag by tag.
func (p *plan) compareTags(a, b *seat, placed []*seat) int {
	for _, tag := range p.group.SpreadBy {
		same := func(s *seat) (n int) {
			for _, o := range placed {
				n += bit(s.Tags[tag] == o.Tags[tag])
			}
			return n
		}
		if c := cmp.Compare(same(a), same(b)); c != 0 {
			return c
		}
	}
	return 0
}

// seatOf is who is to run a task.
func (p *plan) seatOf(t Task) *seat {
	for _, s := range p.seats {
		if slices.Contains(s.tasks[t.Sub], t) {
			return s
		}
	}
	panic("assign: a task without a seat")
}

// drop takes a task back.
func (s *seat) drop(t Task, k kind) {
	s.tasks[t.Sub] = slices.DeleteFunc(s.tasks[t.Sub], func(o Task) bool { return o == t })
	s.count[k]--
}

func (p *plan) warming() (n int) {
	for _, s := range p.seats {
		n += len(s.warming)
	}
	return n
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}
