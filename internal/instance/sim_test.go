package instance

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// run plays the history in a bubble of its own, whose clock always begins at the same
// time. trace may be nil.
func (h history) run(t *testing.T, trace func(string, ...any)) (w *simWorld, err error) {
	synctest.Test(t, func(*testing.T) {
		w = newSimWorld(h, trace)
		err = w.play()
	})
	return w, err
}

// shrink returns a shorter history that fails, too.
func (h history) shrink(t *testing.T) history {
	fails := func(h history) bool {
		_, err := h.run(t, nil)
		return err != nil
	}
	for _, part := range []*int{&h.faults, &h.inputs, &h.faults} {
		whole := *part
		for *part = 0; *part < 50; *part++ {
			if *part == whole || fails(h) {
				break
			}
		}
		if *part == 50 {
			*part = whole
		}
	}
	return h
}

// script prints a history.
func (h history) script(t *testing.T) {
	t.Errorf("seed %d, with %d faults and %d inputs at most:\n%s", h.seed, h.faults, h.inputs, h.text(t))
}

func (h history) text(t *testing.T) string {
	var b strings.Builder
	if _, err := h.run(t, func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }); err != nil {
		return fmt.Sprintf("%v\n%s", err, b.String())
	}
	return b.String()
}

// number is that of a variable of the environment, or else n.
func number(t *testing.T, name string, n uint64) uint64 {
	t.Helper()
	if s := os.Getenv(name); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestSimulation plays histories: SIM_SEEDS of them, from a random seed or LEAT_SEED
// on, or the one of SIM_SEED alone. One that fails is made shorter, and printed. See
// docs/testing.md.
func TestSimulation(t *testing.T) {
	first, n := seeds(t, 1)[0], number(t, "SIM_SEEDS", 150)
	if os.Getenv("SIM_SEED") != "" {
		first, n = number(t, "SIM_SEED", 0), 1
	}
	began, steps, retries, struck := time.Now(), 0, 0, 0
	for i := range n {
		h := history{seed: first + i, faults: -1, inputs: -1}
		w, err := h.run(t, nil)
		if err != nil {
			h.shrink(t).script(t)
			return
		}
		steps += w.s.Steps()
		retries += w.retries
		struck += w.struck
	}
	perMinute := float64(n) / time.Since(began).Minutes()
	t.Logf("simulation: %d histories from seed %d on, %d steps, %d faults, %d transactions that came to nothing; %.0f histories a minute", n, first, steps, struck, retries, perMinute)
}

// A history is a function of its seed.
func TestSimulationRepeats(t *testing.T) {
	first := seeds(t, 1)[0]
	for i := range uint64(20) {
		h := history{seed: first + i, faults: -1, inputs: -1}
		one, other := h.text(t), h.text(t)
		if one == other {
			continue
		}
		lines, others := strings.Split(one, "\n"), strings.Split(other, "\n")
		for n := range min(len(lines), len(others)) {
			if lines[n] != others[n] {
				t.Fatalf("seed %d, line %d: %q, and then %q", h.seed, n, lines[n], others[n])
			}
		}
	}
}
