package member

import (
	"math/bits"

	"github.com/leatstream/leat/internal/assign"
)

// What a task weighs is measured by whoever runs it, told with each Join, and told back
// to everybody with the assignments. So it goes with a task that moves, and outlives who
// ran it: the new owner tells what it was told until it has measured for itself.
//
// It is only told anew where it has really changed, so that the leader, asked again about
// the same group, comes to the same answer.

// tell is what a member says of the tasks that it claims, given what everybody was told
// and what it has measured.
func tell(claimed tasks, told, measured map[assign.Task]int64) map[assign.Task]int64 {
	out := map[assign.Task]int64{}
	for t := range claimed {
		was, known := told[t]
		is, ok := measured[t]
		switch {
		case ok && !(known && near(is, was)):
			out[t] = coarse(is)
		case known:
			out[t] = was
		}
	}
	return out
}

// near reports whether a weight is within a quarter of what it was.
func near(is, was int64) bool {
	return 4*max(is-was, was-is) <= was
}

// coarse keeps the first three bits of a weight, so that those of tasks which are much
// alike are mostly equal.
func coarse(w int64) int64 {
	w = min(max(w, 0), 1<<30)
	low := max(bits.Len64(uint64(w))-3, 0)
	half := int64(1) << low >> 1
	return (w + half) >> low << low
}

// known is what the tasks weigh: as who holds one says, or as the leader was last told.
func (r *round) known(holders map[assign.Task][]int) map[assign.Task]int64 {
	out := map[assign.Task]int64{}
	for _, sub := range r.topology.sizes(r.counts) {
		for p := range sub.Partitions {
			t := assign.Task{Sub: sub.ID, Partition: p}
			weight, ok := r.weights[t]
			for _, i := range holders[t] {
				if w, said := r.members[i].data.weights[t]; said && r.members[i].data.fingerprint == r.fingerprint {
					weight, ok = w, true
				}
			}
			if ok {
				out[t] = weight
			}
		}
	}
	return out
}
