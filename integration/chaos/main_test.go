// Package chaos runs four topologies in several processes on a Kafka of three brokers while processes, brokers, disks
// and connections fail, and then compares everything that was put out with a model. It is run by `make chaos`.
package chaos

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/cluster"
	"github.com/leatstream/leat/integration/internal/program"
)

var (
	duration = flag.Duration("duration", 0, "how long faults happen, in all; 0: there is no chaos")
	seed     = flag.Uint64("seed", 0, "decides which faults happen, and when")
	only     = flag.String("guarantee", "", "run with this one alone; empty: with both, one after the other")
	soak     = flag.Bool("soak", false, "more work, exactly once, and a process that is spared: does it grow?")
)

// outcome is what the test has to say at last.
var outcome summary

func TestMain(m *testing.M) {
	flag.Parse()
	if *duration == 0 {
		os.Exit(0)
	}
	code := cluster.Main(m)
	program.RemoveBuilt()
	if len(outcome.trials) > 0 {
		fmt.Print(&outcome)
	}
	os.Exit(code)
}

// TestChaos: with exactly_once nothing is lost, nothing is there twice and nothing is wrong, whatever fails. With
// at_least_once nothing is lost.
func TestChaos(t *testing.T) {
	began := time.Now()
	a := newArena(t)
	t.Logf("seed %d, %s, ready after %v", *seed, a.cluster.Mode, time.Since(began).Round(time.Second))
	type part struct {
		guarantee guarantee
		share     time.Duration
	}
	parts := []part{{exactlyOnce, *duration * 2 / 3}, {atLeastOnce, *duration / 3}}
	switch {
	case *soak:
		parts = []part{{exactlyOnce, *duration}}
	case *only != "":
		parts = []part{{guarantee(*only), *duration}}
	}
	for _, c := range parts {
		t.Run(string(c.guarantee), func(t *testing.T) {
			tr := newTrial(t, a, c.guarantee)
			outcome.trials = append(outcome.trials, tr.result)
			tr.run(c.share)
		})
	}
}
