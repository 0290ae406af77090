package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// In a soak there is more work, and one process that nothing happens to but what happens to the brokers and the others:
// what it takes must not grow.
const (
	soakRate  = 5000 // records per second
	leastSoak = 4500 // of them, on the whole
)

// A bound is how much of something the spared process may take late, beside what it took early.
type bound struct {
	what   string // as its log calls it
	unit   int64
	name   string
	factor float64
	more   int64 // units
}

var bounds = []bound{
	{"goroutines", 1, "", 1.2, 50},
	{"handles", 1, "", 1.2, 50},
	{"memory", 1 << 20, " MiB", 1.25, 64},
	{"disk", 1 << 20, " MiB", 1.5, 64},
}

// resources compares the most that the spared process took in the first third of its life with the most of the last
// third, when it has stopped, and says how much that was.
func (tr *trial) resources() {
	tr.Helper()
	p := tr.replicas[0].p
	lines := p.Lines("resources")
	if len(lines) < 30 {
		tr.Errorf("the process that was spared has told %d times what it takes", len(lines))
		return
	}
	third := len(lines) / 3
	var said []string
	for _, b := range bounds {
		took := make([]int64, len(lines))
		for i, l := range lines {
			took[i] = (l.Number(b.what) + b.unit - 1) / b.unit
		}
		early, late := slices.Max(took[:third]), slices.Max(took[len(took)-third:])
		said = append(said, fmt.Sprintf("%s=%d..%d%s", b.what, early, late, b.name))
		if late > int64(float64(early)*b.factor)+b.more {
			tr.Errorf("%s have grown from %d to %d%s", b.what, early, late, b.name)
		}
	}
	life := lines[len(lines)-1].Time().Sub(p.Started).Round(time.Second)
	tr.result.soak = fmt.Sprintf("soak: life=%v rate=%.0f/s %s (the most of the first third and of the last)", life,
		float64(tr.result.records)/tr.feed.took.Seconds(), strings.Join(said, " "))
}
