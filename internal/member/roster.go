package member

import (
	"maps"
	"slices"
	"strings"
)

// A Fence is what is needed to end the open transactions of a process: its
// transactional ids are those of its instance id and of worker numbers below
// Workers.
type Fence struct {
	Instance string
	Workers  int // the most that it has ever used
}

// A roster is who is in the group and who was until lately. It is part of every
// assignment, so that each member knows it, whoever leads the group next. A leader
// that joined in the very generation in which it leads does not know who departed
// in it. Then nobody fences those, and a successor's restore waits for their
// transactions to time out; nothing worse, since it is the generation that keeps
// them from committing.
type roster struct {
	living   []Fence // by instance
	departed []departed
}

type departed struct {
	Fence
	age int // generations since the last that it was part of
}

// remembered is for how many generations a departed member is kept.
const remembered = 3

// next is the roster of the generation after r's, of which these are the members.
func (r roster) next(living []Fence) roster {
	var out roster
	workers := map[string]int{}
	for _, f := range living {
		workers[f.Instance] = max(workers[f.Instance], f.Workers)
	}
	for _, instance := range slices.Sorted(maps.Keys(workers)) {
		out.living = append(out.living, Fence{instance, workers[instance]})
	}
	gone := slices.Clone(r.departed)
	for _, f := range r.living {
		gone = append(gone, departed{Fence: f})
	}
	for _, d := range gone {
		if _, back := workers[d.Instance]; !back && d.age < remembered {
			d.age++
			out.departed = append(out.departed, d)
		}
	}
	slices.SortFunc(out.departed, func(a, b departed) int { return strings.Compare(a.Instance, b.Instance) })
	return out
}

// fences are those of departed members.
func (r roster) fences() []Fence {
	var out []Fence
	for _, d := range r.departed {
		out = append(out, d.Fence)
	}
	return out
}
