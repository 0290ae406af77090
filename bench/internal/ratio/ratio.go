//go:build unix

package ratio

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ours is what leat is called among its peers.
const ours = "leat"

// took is the processor's time per operation of each benchmark that ran: the shortest of those that
// -count asks for, since other programs can only make it longer. It is Measure's and Main's, which run
// one after the other.
var took = map[run]time.Duration{}

// A run is one peer at one job.
type run struct{ job, peer string }

// Main runs the tests and benchmarks of a package, prints the ratios, and exits. It is for TestMain.
func Main(m *testing.M) {
	code := m.Run()
	report()
	os.Exit(code)
}

// report prints how many times as long as leat each peer took.
func report() {
	byName := func(a, b run) int { return strings.Compare(a.job+" "+a.peer, b.job+" "+b.peer) }
	for _, r := range slices.SortedFunc(maps.Keys(took), byName) {
		if base := took[run{r.job, ours}]; base > 0 && r.peer != ours {
			fmt.Printf("ratio: %-16s %-14s takes %5.2f times as long as leat\n", r.job, r.peer, float64(took[r])/float64(base))
		}
	}
}

// Measure benchmarks op, which is how peer does job. That of leat is called "leat".
func Measure(b *testing.B, job, peer string, op func()) {
	b.Run(job+"/"+peer, func(b *testing.B) {
		b.ReportAllocs()
		before := cpu(b)
		for b.Loop() {
			op()
		}
		per := (cpu(b) - before) * 1000 / time.Duration(b.N) // in picoseconds
		b.ReportMetric(float64(per)/1000, "cpu-ns/op")
		if best, ok := took[run{job, peer}]; !ok || per < best {
			took[run{job, peer}] = per
		}
	})
}

// cpu is the time that this process has computed, with its garbage collector. The clock
// on the wall counts other programs' work too.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
