package conformance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// files reads every file of testdata whose scenario is written.
func files(t *testing.T) (out []*File) {
	t.Helper()
	paths, err := filepath.Glob("testdata/seed*/*.jsonl")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range paths {
		f, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// random is seeded anew in every run; LEAT_SEED repeats one.
func random(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("LEAT_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with LEAT_SEED=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// A scenario that is restarted at any steps, with its local state or without, or at another process and back, puts out
// what Kafka Streams puts out when it is not. Only how long a task has waited for an input
// that is empty is not kept, neither here nor there: it is time that a process has spent,
// which another one has not. What is waited for so long that this does not matter is
// TestRestartsWhileWaiting's.
func TestRestarts(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		if idling[f.Scenario] != nil {
			continue
		}
		t.Run(fmt.Sprintf("%s/%d", f.Scenario, f.Seed), func(t *testing.T) {
			t.Parallel()
			rnd := random(t)
			r, err := f.Start(t)
			if err != nil {
				t.Fatal(err)
			}
			last := ""
			for i, s := range f.Steps {
				if rnd.IntN(8) == 0 {
					local := topologytest.Local(rnd.IntN(3))
					r.Restart(local)
					last = fmt.Sprintf("step %d, local state %d", i+1, local)
				}
				err := r.Feed(s)
				if got := lines(r.Drain()); err != nil || !slices.Equal(got, lines(s.Out)) {
					t.Fatalf("after the restart at %s: %v", last, f.differ(i, err, got))
				}
			}
		})
	}
}

// What waits for an input that is empty still does after a restart, and in the same order;
// once the wait is over all of it is put out, as without a restart. So it is with no wait
// at all. Only a wait that was partly over is a longer one.
func TestRestartsWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		if idling[f.Scenario] == nil {
			continue
		}
		for _, idle := range []time.Duration{0, 1000 * time.Hour} {
			t.Run(fmt.Sprintf("%s/%d/%v", f.Scenario, f.Seed, idle), func(t *testing.T) {
				t.Parallel()
				rnd := random(t)
				through, cut := f.idle(t, idle), f.idle(t, idle)
				for i, s := range f.Steps {
					if rnd.IntN(8) == 0 {
						cut.Restart(topologytest.Local(rnd.IntN(3)))
					}
					same(t, fmt.Sprintf("step %d, %v", i+1, s), through, cut, f.apartInTime(s))
				}
				for range 3 { // a wait may end another
					same(t, "the end", through, cut, Step{Advance: idle.Milliseconds()})
				}
			})
		}
	}
}

// idle starts f with another wait for empty inputs.
func (f *File) idle(t *testing.T, wait time.Duration) *Run {
	t.Helper()
	g := *f
	g.MaxIdle = new(wait.Milliseconds())
	r, err := g.Start(t)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// apartInTime is a step whose record has the time of none in another input: of those the
// one that came first is taken, and a restart finds both there.
func (f *File) apartInTime(s Step) Step {
	if s.In != nil {
		in := *s.In
		in.Time = in.Time*int64(len(f.Inputs)) + int64(slices.Index(f.Inputs, in.Topic))
		s.In = &in
	}
	return s
}

// same feeds a step to two runs, which must put out the same.
func same(t *testing.T, where string, through, cut *Run, s Step) {
	t.Helper()
	for _, r := range []*Run{through, cut} {
		if err := r.Feed(s); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := lines(cut.Drain()), lines(through.Drain()); !slices.Equal(got, want) {
		t.Fatalf("%s:\n  got   %v\n  want  %v", where, got, want)
	}
}

// A scenario that crashes at any steps, and so does again what it had not committed,
// puts out the same. What waits is taken by its timestamps then and not by when it
// came, so only scenarios with one input can be compared with Kafka Streams' steps; the others
// are TestCrashesInOrder's. A foreign-key join of a table with
// itself has three: its task reads what it asks and answers itself.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		if len(f.Inputs) > 1 || strings.HasPrefix(f.Scenario, "chain-fk-self") || slices.ContainsFunc(f.Steps, func(s Step) bool { return s.In == nil }) {
			continue
		}
		t.Run(fmt.Sprintf("%s/%d", f.Scenario, f.Seed), func(t *testing.T) {
			t.Parallel()
			rnd := random(t)
			r, err := f.Start(t, topologytest.CommitEvery(1+rnd.IntN(20)))
			if err != nil {
				t.Fatal(err)
			}
			var got, want []Record
			for _, s := range f.Steps {
				if rnd.IntN(12) == 0 {
					r.Crash(topologytest.Local(rnd.IntN(3)))
				}
				if err := r.Feed(s); err != nil {
					t.Fatal(err)
				}
				got, want = append(got, r.Drain()...), append(want, s.Out...)
			}
			r.Commit()
			got = append(got, r.Drain()...)
			compare(t, lines(got), lines(want))
		})
	}
}

// compare finds the first difference between two long lists.
func compare(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("record %d of %d differs:\n  got   %v\n  want  %v", i, len(want), got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
		}
	}
}

// Of several inputs, what waits is taken in the order of times after a crash: so it is what
// comes of them in that order that is the same. Not so where a record meets what another task
// or the process brings: after a crash that may come sooner, or later, than it did.
func TestCrashesInOrder(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		if len(f.Inputs) == 1 || raced.MatchString(f.Scenario) {
			continue
		}
		f = f.inOrder()
		for i := range f.Steps {
			f.Steps[i] = f.apartInTime(f.Steps[i])
		}
		f = f.inOrder()
		t.Run(fmt.Sprintf("%s/%d", f.Scenario, f.Seed), func(t *testing.T) {
			t.Parallel()
			rnd := random(t)
			through, err := f.Start(t)
			if err != nil {
				t.Fatal(err)
			}
			cut, err := f.Start(t, topologytest.CommitEvery(1+rnd.IntN(20)))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range f.Steps {
				if rnd.IntN(12) == 0 {
					cut.Crash(topologytest.Local(rnd.IntN(3)))
				}
				for _, r := range []*Run{through, cut} {
					if err := r.Feed(s); err != nil {
						t.Fatal(err)
					}
				}
			}
			cut.Commit()
			compare(t, lines(cut.Drain()), lines(through.Drain()))
		})
	}
}

// raced are the scenarios in which inputs of a task come from another one, or rows from a
// global table, which no time aligns; and those whose times are not the records'.
var raced = regexp.MustCompile("fk|global|rekeyed|nulls|extractor")

// How often is committed does not show in what is put out.
func TestCommitIntervals(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		t.Run(fmt.Sprintf("%s/%d", f.Scenario, f.Seed), func(t *testing.T) {
			t.Parallel()
			for _, every := range chosen(random(t), []int{7, 1000}) {
				r, err := f.Start(t, topologytest.CommitEvery(every))
				if err != nil {
					t.Fatal(err)
				}
				var got, want []Record
				for _, s := range f.Steps {
					if err := r.Feed(s); err != nil {
						t.Fatal(err)
					}
					want = append(want, s.Out...)
				}
				r.Commit()
				got = r.Drain()
				compare(t, lines(got), lines(want))
			}
		})
	}
}
