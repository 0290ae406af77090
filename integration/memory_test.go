package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	bulky  = 700 << 10 // bytes of a record
	bulk   = 800       // records that wait
	budget = 126 << 20 // the least that is allowed
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
			began, peak := time.Now(), 0.0
			for f.lag() > 0 {
				rss, err := p.Metric(f.ctx, "process_resident_memory_bytes")
				f.must(err)
				peak = max(peak, rss)
				time.Sleep(50 * time.Millisecond)
			}
			t.Logf("%d MiB of %d partitions were copied in %v, with a budget of %d MiB, in %.0f MiB of memory",
				bulk*bulky>>20, partitions, time.Since(began).Round(100*time.Millisecond), budget>>20, peak/(1<<20))
			if peak == 0 || peak > budget {
				t.Errorf("%.0f MiB of memory", peak/(1<<20))
			}
			f.must(p.Stop(f.ctx))
		})
	}
}
