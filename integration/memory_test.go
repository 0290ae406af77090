package integration

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/program"
)

const (
	bulky  = 700 << 10 // bytes of a record
	bulk   = 800       // records that wait
	budget = 126 << 20 // the least that is allowed
	many   = 500_000   // keys: their entries would take 100 MiB
)

// TestMemoryBudget: a process that finds half a gigabyte of large records waiting, in many partitions or in more than it
// has room for records of, takes no more memory than its budget says.
func TestMemoryBudget(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int32{16, 200} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			f := setup(t, fmt.Sprint("budget", partitions), partitions)
			value := make([]byte, bulky)
			for i := range bulk {
				for j := range value {
					value[j] = byte(f.rnd.Uint32())
				}
				f.must(f.topics.Client.ProduceSync(f.ctx, &kgo.Record{Topic: f.in, Key: key(i), Value: value}).FirstErr())
			}
			p, err := f.processor("a", "copy", fmt.Sprintf("--memory.budget=%d", budget)).Start()
			f.must(err)
			_, err = p.AtWork(f.ctx)
			f.must(err)
			f.keepsTo(p, fmt.Sprintf("copies %d MiB of %d partitions", bulk*bulky>>20, partitions), func() bool { return f.lag() == 0 })
			f.must(p.Stop(f.ctx))
		})
	}
}

// TestMemoryBudgetOfState: neither does one that counts many more keys than it has room for in memory, nor when it
// restores them.
func TestMemoryBudgetOfState(t *testing.T) {
	t.Parallel()
	const partitions = 4
	f := setup(t, "large", partitions)
	f.must(f.writeKeys(many))
	svc := f.processor("a", "count", fmt.Sprintf("--memory.budget=%d", budget))
	p := f.start(svc)
	_, err := p.AtWork(f.ctx)
	f.must(err)
	f.keepsTo(p, fmt.Sprintf("counts %d keys", many), func() bool { return f.lag() == 0 })
	f.must(p.Stop(f.ctx))
	f.must(os.RemoveAll(f.state("a")))
	p = f.start(svc)
	f.keepsTo(p, "restores them", func() bool { return len(p.Lines("restored store")) == partitions })
	f.must(p.Stop(f.ctx))
}

// keepsTo watches the memory of a process until it has done what it does.
func (f *fixture) keepsTo(p *program.Process, does string, done func() bool) {
	f.Helper()
	began, peak := time.Now(), 0.0
	for !done() {
		rss, err := p.Metric(f.ctx, "process_resident_memory_bytes")
		f.must(err)
		peak = max(peak, rss)
		time.Sleep(20 * time.Millisecond)
	}
	f.Logf("%s in %v, with a budget of %d MiB, in %.0f MiB of memory", does, time.Since(began).Round(100*time.Millisecond), budget>>20, peak/(1<<20))
	if peak == 0 || peak > budget {
		f.Errorf("%s: %.0f MiB of memory", does, peak/(1<<20))
	}
}
