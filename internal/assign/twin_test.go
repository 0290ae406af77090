package assign

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Members own anything: unknown tasks, each other's, far too many. The number of
// tasks that are taken from them must be that of a twin that tries every
// balanced choice of quotas.
func TestFewestMoves(t *testing.T) {
	t.Parallel()
	r := random(t)
	for range 400 {
		g := anyGroup(r)
		as := check(t, r, g)
		if got, want := moves(g, as), twin(g); got != want {
			t.Fatalf("%d tasks were taken from members, the twin took %d: %+v became %s", got, want, g, show(as))
		}
	}
}

func anyGroup(r *rand.Rand) Group {
	g := Group{Subs: randomSubs(r, 3, 6)}
	for range 1 + r.IntN(5) {
		m := newcomer(r)
		for range r.IntN(8) {
			m.Owned = append(m.Owned, Task{Sub: r.IntN(4), Partition: r.Int32N(7)})
		}
		g.Members = append(g.Members, m)
	}
	return g
}

// owners says who counts as the owner of each task.
func owners(g Group) map[Task]string {
	out := map[Task]string{}
	for _, s := range g.Subs {
		for p := range s.Partitions {
			out[Task{s.ID, p}] = ""
		}
	}
	for _, m := range g.Members {
		for _, task := range m.Owned {
			if id, ok := out[task]; ok && (id == "" || m.ID < id) {
				out[task] = m.ID
			}
		}
	}
	return out
}

func moves(g Group, as map[string]Assignment) (n int) {
	owner := owners(g)
	for id, a := range as {
		for _, task := range a.Active {
			if owner[task] != "" && owner[task] != id {
				n++
			}
		}
	}
	return n
}

func twin(g Group) int {
	index := map[string]int{}
	for i, m := range g.Members {
		index[m.ID] = i
	}
	isStateful := map[int]kind{}
	for _, s := range g.Subs {
		isStateful[s.ID] = kindOf(s)
	}
	have := make([][kinds]int, len(g.Members))
	var total [kinds]int
	for task, id := range owners(g) {
		total[isStateful[task.Sub]]++
		if id != "" {
			have[index[id]][isStateful[task.Sub]]++
		}
	}
	return fewest(have, total, nil)
}

// fewest tries every quota for the first of the seats, and so on.
func fewest(have [][kinds]int, left [kinds]int, chosen [][kinds]int) int {
	if len(chosen) == len(have) {
		if left != [kinds]int{} || !balanced(chosen) {
			return math.MaxInt
		}
		var n int
		for i, q := range chosen {
			for k := range kinds {
				n += max(0, have[i][k]-q[k])
			}
		}
		return n
	}
	best := math.MaxInt
	for a := range left[0] + 1 {
		for b := range left[1] + 1 {
			q := append(chosen[:len(chosen):len(chosen)], [kinds]int{a, b})
			if balanced(q) {
				best = min(best, fewest(have, [kinds]int{left[0] - a, left[1] - b}, q))
			}
		}
	}
	return best
}

func balanced(qs [][kinds]int) bool {
	near := func(a, b int) bool { return a-b <= 1 && b-a <= 1 }
	for _, q := range qs {
		for _, o := range qs {
			if !near(q[0], o[0]) || !near(q[1], o[1]) || !near(q[0]+q[1], o[0]+o[1]) {
				return false
			}
		}
	}
	return true
}
