package assign

import (
	"cmp"
	"maps"
	"slices"
)

// What level goes by, all of it against noise.
const (
	negligible = 100 // thousandths of a worker's time: with less than that nobody is heavy
	clearly    = 5   // a fifth of the heaviest load is what has to be gained
	nearly     = 8   // an eighth above the best, or above the average, is good enough
	crumb      = 64  // an exchange that gains less than that part of the average is none
)

// level exchanges tasks between seats so that the heaviest gets clearly lighter, if that
// can be had. Tasks go one by one or two by two, always so that two seats have as many
// tasks of each kind as they had, or as the other one had: the numbers stay balanced.
//
// What is gained is judged at the end and not for each exchange: one of many tasks never
// is a fifth of a load. Of the exchanges that were found, the first ones are made that
// come near to what all of them would give.
//
// That an Assign with these tasks owned moves nothing is by construction: level begins
// anew with what it has come to until nothing more is gained. Weights that waver by up to
// a tenth move no task there and back again: by the weights without that, each step makes
// the heaviest lighter still, 4/5 times 11/9 of what it was.
func (p *plan) level() {
	p.settled = p.homes()
	maps.DeleteFunc(p.settled, func(t Task, s *seat) bool { return p.owner[t] != s })
	if p.weights = p.weigh(); p.weights == nil {
		return
	}
	for _, s := range p.seats {
		for _, tasks := range s.tasks {
			for _, t := range tasks {
				s.load += p.weights[t]
			}
		}
	}
	p.home = p.owner
	for again := true; again; {
		p.gain()
		p.home = p.homes()
		again = p.gain()
	}
}

// homes are the seats of all tasks.
func (p *plan) homes() map[Task]*seat {
	out := map[Task]*seat{}
	for _, s := range p.seats {
		for _, tasks := range s.tasks {
			for _, t := range tasks {
				out[t] = s
			}
		}
	}
	return out
}

// weigh gives every task a weight: one that is not known weighs what the known ones of
// its sub-topology do on average, or else all known ones. Nil if none is known.
func (p *plan) weigh() map[Task]int64 {
	type known struct{ weight, tasks int64 }
	var all known
	subs := map[int]known{}
	each := func(fn func(t Task, w int64, ok bool)) {
		for _, sub := range p.subs {
			for i := range sub.Partitions {
				t := Task{sub.ID, i}
				w, ok := p.group.Weights[t]
				fn(t, w, ok)
			}
		}
	}
	each(func(t Task, w int64, ok bool) {
		if k := subs[t.Sub]; ok {
			subs[t.Sub] = known{k.weight + w, k.tasks + 1}
			all = known{all.weight + w, all.tasks + 1}
		}
	})
	if all.tasks == 0 {
		return nil
	}
	out := map[Task]int64{}
	each(func(t Task, w int64, ok bool) {
		if mean := cmp.Or(subs[t.Sub], all); !ok {
			w = mean.weight / mean.tasks
		}
		out[t] = w
	})
	return out
}

// gain makes exchanges, and reports whether it has.
func (p *plan) gain() bool {
	var total int64
	for _, s := range p.seats {
		total += s.load
	}
	n := int64(len(p.seats))
	first := p.heaviest().load
	if first < negligible {
		return false
	}
	var made []exchange
	loads := []int64{first} // the heaviest, after so many exchanges
	for len(made) < len(p.weights) {
		h := p.heaviest()
		if h.load*nearly*n <= total*(nearly+1) {
			break
		}
		x, ok := p.best(h, max(1, total/n/crumb))
		if !ok {
			break
		}
		p.make(x)
		made, loads = append(made, x), append(loads, p.heaviest().load)
	}
	best := loads[len(made)]
	enough := slices.IndexFunc(loads, func(load int64) bool { return load*nearly <= best*(nearly+1) })
	if loads[enough]*clearly > first*(clearly-1) {
		enough = 0
	}
	for _, x := range slices.Backward(made[enough:]) {
		x.from, x.to = x.to, x.from
		p.make(x)
	}
	return enough > 0
}

func (p *plan) heaviest() *seat {
	return slices.MaxFunc(p.seats, func(a, b *seat) int { return cmp.Or(cmp.Compare(a.load, b.load), cmp.Compare(b.ID, a.ID)) })
}

// An exchange is tasks that go from one seat to another: give, and take the other way.
type exchange struct {
	from, to   *seat
	give, take class
	back       bool  // there is a take
	heavier    int64 // load of the two seats, after it
}

// moves is how many more tasks are not at home after it.
func (x exchange) moves() int { return x.give.moves + x.take.moves }

func (x exchange) compare(o exchange) int {
	return cmp.Or(cmp.Compare(x.heavier, o.heavier), cmp.Compare(x.moves(), o.moves()),
		x.give.task.Compare(o.give.task), x.take.task.Compare(o.take.task), cmp.Compare(x.to.ID, o.to.ID))
}

// balanced reports whether the two seats have as many tasks of each kind afterwards as
// they had, or as the other one had.
func (x exchange) balanced() bool {
	n := x.from.count
	n[x.give.kind]--
	if x.back {
		n[x.take.kind]++
	}
	return n == x.from.count || n == x.to.count
}

func (p *plan) make(x exchange) {
	move := func(c class, from, to *seat) {
		from.drop(c.task, c.kind)
		to.take(c.task, c.kind)
		from.load -= c.weight
		to.load += c.weight
	}
	move(x.give, x.from, x.to)
	if x.back {
		move(x.take, x.to, x.from)
	}
}

// best is the exchange that helps a seat most, if one does by at least so much.
func (p *plan) best(h *seat, least int64) (best exchange, ok bool) {
	for _, l := range p.seats {
		if l == h {
			continue
		}
		takes := append(p.classes(l, h), class{})
		for _, give := range p.classes(h, l) {
			for i, take := range takes {
				shift := give.weight - take.weight
				x := exchange{h, l, give, take, i < len(takes)-1, max(h.load-shift, l.load+shift)}
				if x.heavier <= h.load-least && x.balanced() && (!ok || x.compare(best) < 0) {
					best, ok = x, true
				}
			}
		}
	}
	return best, ok
}

// A class is the tasks of one kind and weight that a seat has: few, since weights are
// coarse.
type class struct {
	kind   kind
	weight int64
	task   Task // the one of them that another seat would best take
	moves  int  // how many more tasks are not at home then
}

// classes are those of a seat, for another.
func (p *plan) classes(from, to *seat) (out []class) {
	for _, sub := range p.subs {
		for _, t := range from.tasks[sub.ID] {
			c := class{kindOf(sub), p.weights[t], t, bit(p.home[t] == from) - bit(p.home[t] == to)}
			i := slices.IndexFunc(out, func(o class) bool { return o.kind == c.kind && o.weight == c.weight })
			if i < 0 {
				out = append(out, c)
				continue
			}
			if cmp.Or(cmp.Compare(c.moves, out[i].moves), cmp.Compare(to.Held[out[i].task], to.Held[t]), t.Compare(out[i].task)) < 0 {
				out[i] = c
			}
		}
	}
	return out
}

// waits are the tasks that move for their weight alone, if one of them goes to who is not
// ready for it: they move together or not at all. Else the numbers would not be balanced
// in between, and the next Assign would mend that with whatever task comes first.
func (p *plan) waits() map[Task]bool {
	out := map[Task]bool{}
	ready := true
	now := p.homes()
	for t, s := range p.settled {
		if now[t] != s {
			out[t] = true
			ready = ready && p.ready(now[t], t)
		}
	}
	if ready {
		return nil
	}
	return out
}
