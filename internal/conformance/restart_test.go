package conformance

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// A restart changes nothing: not with local state, and not if that is lost and comes
// from the changelogs. Every scenario is cut at random steps.
func TestRestarts(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/seed1/*.jsonl")
	if err != nil || len(paths) == 0 {
		t.Fatal(len(paths), err)
	}
	seed := rand.Uint64()
	for _, path := range paths {
		for name, local := range map[string]topologytest.Local{"kept": topologytest.KeepState, "lost": topologytest.LoseState} {
			t.Run(fmt.Sprintf("%s/%s/%d", filepath.Base(path), name, seed), func(t *testing.T) {
				t.Parallel()
				f, err := Read(path)
				if err != nil {
					t.Fatal(err)
				}
				if why := unequal[f.Scenario]; why != "" {
					t.Skip(why)
				}
				if pending[f.Scenario] {
					t.Skip("not written yet")
				}
				rnd := rand.New(rand.NewPCG(seed, 0))
				if err := f.checkCut(t, local, func() bool { return rnd.IntN(10) == 0 }); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// unequal are the scenarios that a restart changes, and why.
var unequal = map[string]string{
	"processor-wallclock-punctuator": "a wall-clock timer begins its first interval anew with its process, as in Kafka Streams",
}

// checkCut is Check with restarts before the steps for which cut says so.
func (f *File) checkCut(t *testing.T, local topologytest.Local, cut func() bool) error {
	t.Helper()
	r, err := f.Start(t)
	if err != nil {
		return err
	}
	last := 0
	for i, s := range f.Steps {
		if cut() {
			r.Restart(local)
			last = i
		}
		err := r.Feed(s)
		got, want := lines(r.Drain()), lines(s.Out)
		if err != nil || !slices.Equal(got, want) {
			return fmt.Errorf("restarted before step %d: %w", last+1, f.differ(i, err, got))
		}
	}
	return nil
}
