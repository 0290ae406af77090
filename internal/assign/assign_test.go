package assign

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var seed = flag.Uint64("seed", rand.Uint64(), "seed of the random groups")

func random(t *testing.T) *rand.Rand {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with -seed=%d", *seed)
		}
	})
	return rand.New(rand.NewPCG(*seed, 0))
}

func TestTask(t *testing.T) {
	t.Parallel()
	tasks := []Task{{1, 0}, {0, 10}, {0, 3}}
	slices.SortFunc(tasks, Task.Compare)
	if got := fmt.Sprint(tasks); got != "[0_3 0_10 1_0]" {
		t.Errorf("got %s", got)
	}
}

func TestAssign(t *testing.T) {
	t.Parallel()
	all := []Task{{0, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 0}, {1, 1}}
	subs := []Sub{{ID: 0, Stateful: true, Partitions: 4}, {ID: 1, Partitions: 2}}
	for _, c := range []struct {
		name    string
		members []Member
		want    string
	}{
		{"nobody", nil, ""},
		{"one", []Member{{ID: "a"}}, "a[0_0 0_1 0_2 0_3 1_0 1_1]"},
		{"two new", []Member{{ID: "b"}, {ID: "a"}}, "a[0_0 0_2 1_0] b[0_1 0_3 1_1]"},
		{"one joins", []Member{{ID: "a", Owned: all}, {ID: "b"}}, "a[0_0 0_1 1_0] b[0_2 0_3 1_1]"},
		{"one left", []Member{{ID: "a", Owned: all[:2]}}, "a[0_0 0_1 0_2 0_3 1_0 1_1]"},
		{"more than tasks", []Member{{ID: "a", Owned: all[:1]}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}, {ID: "f"}, {ID: "g"}},
			"a[0_0] b[0_1] c[0_2] d[0_3] e[1_0] f[1_1] g[]"},
		{"owned by two", []Member{{ID: "a", Owned: all[1:2]}, {ID: "b", Owned: all[:2]}}, "a[0_1 0_2 1_0] b[0_0 0_3 1_1]"},
		{"unknown task", []Member{{ID: "a", Owned: []Task{{7, 7}, {0, 9}}}}, "a[0_0 0_1 0_2 0_3 1_0 1_1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := show(Assign(Group{Members: c.members, Subs: subs})); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func show(as map[string]Assignment) string {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(as)) {
		parts = append(parts, fmt.Sprint(id, as[id].Active))
	}
	return strings.Join(parts, " ")
}

// Groups live through random joins, leaves and new partitions.
func TestHistories(t *testing.T) {
	t.Parallel()
	r := random(t)
	for range 100 {
		g := Group{Subs: randomSubs(r, 5, 12)}
		for range 1 + r.IntN(6) {
			g.Members = append(g.Members, newcomer(r))
		}
		as := check(t, r, g)
		checkSpread(t, g, as)
		for range 12 {
			before := own(g, as)
			g = before
			switch n := r.IntN(5); {
			case n < 2:
				g.Members = append(slices.Clone(g.Members), newcomer(r))
			case n < 4 && len(g.Members) > 1:
				i := r.IntN(len(g.Members))
				g.Members = slices.Delete(slices.Clone(g.Members), i, i+1)
			default:
				g.Subs = slices.Clone(g.Subs)
				g.Subs[r.IntN(len(g.Subs))].Partitions += r.Int32N(3)
			}
			as = check(t, r, g)
			if len(g.Members) != len(before.Members) {
				checkMoves(t, before, g, as)
			}
		}
	}
}

func randomSubs(r *rand.Rand, subs int, partitions int32) []Sub {
	var out []Sub
	for id := range 1 + r.IntN(subs) {
		out = append(out, Sub{ID: id, Stateful: r.IntN(2) == 0, Partitions: r.Int32N(partitions + 1)})
	}
	return out
}

func newcomer(r *rand.Rand) Member { return Member{ID: fmt.Sprintf("m%08x", r.Uint32())} }

// own is the group once its members run what they were assigned.
func own(g Group, as map[string]Assignment) Group {
	out := Group{Subs: g.Subs, Weights: g.Weights}
	for _, m := range g.Members {
		out.Members = append(out.Members, Member{ID: m.ID, Owned: as[m.ID].Active})
	}
	return out
}

// check assigns and checks what holds of every assignment.
func check(t *testing.T, r *rand.Rand, g Group) map[string]Assignment {
	t.Helper()
	as := Assign(g)
	seen := map[Task]bool{}
	for _, a := range as {
		for _, task := range a.Active {
			if seen[task] {
				t.Fatalf("%v is assigned twice: %s", task, show(as))
			}
			seen[task] = true
		}
	}
	var total int
	for _, s := range g.Subs {
		total += int(s.Partitions)
	}
	if len(seen) != total || len(as) != len(g.Members) {
		t.Fatalf("%d tasks of %d to %d members of %d: %s", len(seen), total, len(as), len(g.Members), show(as))
	}
	checkBalance(t, g, as)
	if again := show(Assign(own(g, as))); again != show(as) {
		t.Fatalf("not a fixed point:\n%s\n%s", show(as), again)
	}
	if other := show(Assign(shuffled(r, g))); other != show(as) {
		t.Fatalf("depends on the order:\n%s\n%s", show(as), other)
	}
	return as
}

func shuffled(r *rand.Rand, g Group) Group {
	out := g
	out.Subs, out.Members = slices.Clone(g.Subs), slices.Clone(g.Members)
	r.Shuffle(len(out.Subs), func(i, j int) { out.Subs[i], out.Subs[j] = out.Subs[j], out.Subs[i] })
	r.Shuffle(len(out.Members), func(i, j int) { out.Members[i], out.Members[j] = out.Members[j], out.Members[i] })
	for i := range out.Members {
		owned := slices.Clone(out.Members[i].Owned)
		r.Shuffle(len(owned), func(i, j int) { owned[i], owned[j] = owned[j], owned[i] })
		out.Members[i].Owned = owned
	}
	return out
}

func checkBalance(t *testing.T, g Group, as map[string]Assignment) {
	t.Helper()
	isStateful := map[int]bool{}
	for _, s := range g.Subs {
		isStateful[s.ID] = s.Stateful
	}
	var with, without, all []int
	for _, a := range as {
		var n int
		for _, task := range a.Active {
			if isStateful[task.Sub] {
				n++
			}
		}
		with, without, all = append(with, n), append(without, len(a.Active)-n), append(all, len(a.Active))
	}
	for _, n := range [][]int{with, without, all} {
		if slices.Max(n)-slices.Min(n) > 1 {
			t.Fatalf("not balanced: stateful %v, stateless %v, all %v", with, without, all)
		}
	}
}

// checkSpread checks a group of which nobody owned anything.
func checkSpread(t *testing.T, g Group, as map[string]Assignment) {
	t.Helper()
	for _, s := range g.Subs {
		var n []int
		for _, a := range as {
			n = append(n, len(slices.DeleteFunc(slices.Clone(a.Active), func(task Task) bool { return task.Sub != s.ID })))
		}
		if slices.Max(n)-slices.Min(n) > 1 {
			t.Fatalf("sub-topology %d is not spread, %v: %s", s.ID, n, show(as))
		}
	}
}

// checkMoves checks that one join moves tasks to the newcomer alone, and one leave
// those of the leaver alone.
func checkMoves(t *testing.T, before, after Group, as map[string]Assignment) {
	t.Helper()
	living := map[string]bool{}
	for _, m := range after.Members {
		living[m.ID] = true
	}
	was := map[Task]string{}
	old := map[string]bool{}
	for _, m := range before.Members {
		old[m.ID] = true
		for _, task := range m.Owned {
			was[task] = m.ID
		}
	}
	for id, a := range as {
		for _, task := range a.Active {
			if from := was[task]; from != id && old[id] && living[from] {
				t.Fatalf("%v moved from %s to %s, both were there before and are there still", task, from, id)
			}
		}
	}
}
