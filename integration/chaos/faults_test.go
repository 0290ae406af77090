package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A kind is one of fault.
type kind string

const (
	kill     kind = "kill"     // of a process, by SIGKILL
	zombie   kind = "zombie"   // a process sleeps through the end of its session, and wakes up
	restart  kind = "restart"  // of a process, cleanly
	scale    kind = "scale"    // to one process, to four, to two
	fullDisk kind = "fulldisk" // under a process

	broker kind = "broker" // is killed and started again
	cut    kind = "cut"    // of connections
	delay  kind = "delay"  // of what connections carry
)

// Faults of processes happen one after the other, and so do those of brokers and the network; those of the first kind
// and those of the second happen at the same time.
var (
	ofProcesses = []kind{kill, zombie, restart, scale, fullDisk}
	ofNetwork   = []kind{broker, cut, delay}
)

// A result is what came of a trial.
type result struct {
	guarantee guarantee

	mu      sync.Mutex
	faults  map[kind]int
	wrote   int // zombies that tried to write
	skipped map[kind]string

	took                    time.Duration
	records                 int64
	checked                 bool // else nothing is known of what follows
	lost, duplicated, wrong int
	stall                   time.Duration
	drained                 time.Duration // from the last fault until everything was processed
	soak                    string        // what the spared process took
}

func (r *result) happened(k kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[k]++
}

func (r *result) all() (n int) {
	for _, of := range r.faults {
		n += of
	}
	return n
}

func (r *result) String() string {
	var parts []string
	for _, k := range slices.Concat(ofProcesses, ofNetwork) {
		if why, skipped := r.skipped[k]; skipped {
			parts = append(parts, fmt.Sprintf("%s=SKIPPED (%s)", k, why))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s=%d", k, r.faults[k]))
	}
	return fmt.Sprintf("%s: %s zombies_wrote=%d %s drained=%v",
		r.guarantee, strings.Join(parts, " "), r.wrote, differences(r.checked, r.lost, r.duplicated, r.wrong), r.drained.Round(100*time.Millisecond))
}

func differences(checked bool, lost, duplicated, wrong int) string {
	if !checked {
		return "lost=? duplicated=? wrong=?"
	}
	return fmt.Sprintf("lost=%d duplicated=%d wrong=%d", lost, duplicated, wrong)
}

// A summary is of all trials.
type summary struct{ trials []*result }

func (s *summary) String() string {
	var b strings.Builder
	var took, stall time.Duration
	var faults, lost, duplicated, wrong int
	var records int64
	checked := true
	for _, r := range s.trials {
		fmt.Fprintln(&b, r)
		if r.soak != "" {
			fmt.Fprintln(&b, r.soak)
		}
		checked = checked && r.checked
		took, records, faults = took+r.took, records+r.records, faults+r.all()
		lost, wrong, stall = lost+r.lost, wrong+r.wrong, max(stall, r.stall)
		if r.guarantee == exactlyOnce {
			duplicated += r.duplicated
		}
	}
	fmt.Fprintf(&b, "chaos: seed=%d duration=%v faults=%d records=%d %s longest_stall=%v\n",
		*seed, took.Round(time.Second), faults, records, differences(checked, lost, duplicated, wrong), stall.Round(100*time.Millisecond))
	return b.String()
}

// missing are the kinds of fault that did not happen often enough, those among them that cannot be made here.
func (r *result) missing(atLeast int) (kinds []kind) {
	for _, k := range slices.Concat(ofProcesses, ofNetwork) {
		if r.faults[k] < atLeast {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func newResult(g guarantee) *result {
	return &result{guarantee: g, faults: make(map[kind]int), skipped: make(map[kind]string)}
}
