package assign

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// anyState gives the members of g random parts of the tasks' state, and tags.
func anyState(r *rand.Rand, g *Group) {
	g.AcceptableLag = 100
	g.Standbys = r.IntN(3)
	g.Warmups = r.IntN(4)
	for i := range g.Members {
		m := &g.Members[i]
		m.Held = map[Task]int64{}
		m.Tags = map[string]string{"zone": []string{"a", "b", "c"}[i%3]}
		for _, s := range g.Subs {
			for p := range s.Partitions {
				if s.Stateful && r.IntN(3) > 0 {
					m.Held[Task{s.ID, p}] = []int64{1000, 950, 10}[r.IntN(3)]
				}
			}
		}
	}
}

func most(g Group, t Task) (n int64) {
	for _, m := range g.Members {
		n = max(n, m.Held[t])
	}
	return n
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	r := random(t)
	for range 300 {
		g := anyGroup(r)
		anyState(r, &g)
		if r.IntN(2) == 0 {
			g.SpreadBy = []string{"zone"}
		}
		as := Assign(g)
		if again := Assign(shuffled(r, g)); !reflect.DeepEqual(as, again) {
			t.Fatalf("depends on the order: %v, %v", as, again)
		}
		checkReplicas(t, g, as)
	}
}

func checkReplicas(t *testing.T, g Group, as map[string]Assignment) {
	t.Helper()
	share, total := 0, 0
	copies := min(g.Standbys, len(g.Members)-1)
	for _, s := range g.Subs {
		if s.Stateful {
			total += int(s.Partitions)
		}
		for p := range s.Partitions {
			checkTask(t, g, as, Task{s.ID, p}, s.Stateful)
		}
	}
	share = (total*copies + len(g.Members) - 1) / len(g.Members)
	warming := 0
	for id, a := range as {
		warming += len(a.Warming)
		choice := len(g.SpreadBy) == 0 && len(g.Members) > copies+1
		if n := len(a.Standby) - len(a.Warming); choice && n > share+copies {
			t.Fatalf("%s has %d copies, a fair share is %d: %v", id, n, share, as)
		}
	}
	if g.Warmups > 0 && warming > g.Warmups {
		t.Fatalf("%d tasks warm up, and %d may", warming, g.Warmups)
	}
}

func checkTask(t *testing.T, g Group, as map[string]Assignment, task Task, isStateful bool) {
	t.Helper()
	copies, zones, active := 0, map[string]bool{}, ""
	for _, m := range g.Members {
		a := as[m.ID]
		if slices.Contains(a.Active, task) {
			if active != "" {
				t.Fatalf("%v is run twice", task)
			}
			active = m.ID
			zones[m.Tags["zone"]] = true
			if isStateful && owners(g)[task] != m.ID && most(g, task)-m.Held[task] > g.AcceptableLag {
				t.Fatalf("%v is run by %s, which lacks its state: %+v", task, m.ID, g)
			}
			if slices.Contains(a.Standby, task) {
				t.Fatalf("%v is on %s twice", task, m.ID)
			}
		}
		if slices.Contains(a.Warming, task) && !slices.Contains(a.Standby, task) {
			t.Fatalf("%v warms up without being followed", task)
		}
		if slices.Contains(a.Standby, task) {
			zones[m.Tags["zone"]] = true
			copies++
		}
	}
	want := min(g.Standbys, len(g.Members)-1)
	if !isStateful {
		want = 0
	}
	if active == "" || copies < want || copies > want+1 {
		t.Fatalf("%v is run by %q and has %d copies, want %d: %v", task, active, copies, want, as)
	}
	if n := min(len(g.Members), 3, copies+1); len(g.SpreadBy) > 0 && isStateful && len(zones) < min(n, want+1) {
		t.Fatalf("%v is in %d zones of %d: %v", task, len(zones), n, as)
	}
}

// A group in which members lack state comes to the balance that one has in which
// nobody does, as soon as they have caught up.
func TestWarmUp(t *testing.T) {
	t.Parallel()
	r := random(t)
	for range 100 {
		g := anyGroup(r)
		anyState(r, &g)
		var as map[string]Assignment
		for round := 0; ; round++ {
			as = Assign(g)
			warming := 0
			for i := range g.Members {
				m := &g.Members[i]
				a := as[m.ID]
				warming += len(a.Warming)
				m.Owned, m.Held = a.Active, maps.Clone(m.Held)
				for _, task := range slices.Concat(a.Active, a.Standby) {
					if n := most(g, task); n > 0 {
						m.Held[task] = n
					}
				}
			}
			if warming == 0 {
				break
			}
			if round > 100 {
				t.Fatalf("does not settle: %+v", g)
			}
		}
		checkBalance(t, g, as)
		if again := Assign(g); show(again) != show(as) {
			t.Fatalf("not a fixed point:\n%s\n%s", show(as), show(again))
		}
	}
}

// A process that runs a task writes to its engine now and then. That a copy is ahead of
// that does not move the task.
func TestOwnerIsReady(t *testing.T) {
	t.Parallel()
	task := Task{0, 0}
	as := Assign(Group{Standbys: 1, AcceptableLag: 10, Subs: []Sub{{ID: 0, Stateful: true, Partitions: 1}}, Members: []Member{
		{ID: "a", Held: map[Task]int64{task: 5000}}, {ID: "b", Owned: []Task{task}},
	}})
	if got := show(as); got != "a[] b[0_0]" {
		t.Errorf("got %s", got)
	}
}

func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	subs := []Sub{{ID: 0, Stateful: true, Partitions: 2}}
	held := map[Task]int64{{0, 0}: 1_000_000, {0, 1}: 999_999}
	as := Assign(Group{Standbys: 1, AcceptableLag: 10, Subs: subs, Members: []Member{
		{ID: "a"}, {ID: "b", Held: held}, {ID: "c"}, // d, which ran 0_0, is gone
	}})
	if got := show(as); got != "a[] b[0_0 0_1] c[]" {
		t.Errorf("got %s", got)
	}
	if w := slices.Concat(as["a"].Warming, as["c"].Warming); len(w) != 1 {
		t.Errorf("%v warm up, want one of two to move to somebody else", w)
	}
}
