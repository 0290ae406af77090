package recovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const rate = 1000 // records per second while something happens

// traffic writes records of keys that are known, and reads what comes of them. A result bears the time of the record that
// caused it: so it shows how long that took.
type traffic struct {
	f *fixture

	mu      sync.Mutex
	slowest [partitions]time.Duration // result since the last call of begin, of records written since
	newest  [partitions]time.Time     // record that there is a result of
	since   time.Time
}

// flow starts traffic that lasts as long as the test.
func flow(f *fixture) *traffic {
	f.Helper()
	tr := &traffic{f: f, since: time.Now()}
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.brokers...), kgo.ConsumeTopics(f.output), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(50*time.Millisecond))
	f.must(err)
	ctx, stop := context.WithCancel(f.ctx)
	var running sync.WaitGroup
	running.Go(func() { tr.write(ctx) })
	running.Go(func() {
		defer cl.Close()
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(tr.came)
		}
	})
	f.Cleanup(func() { stop(); running.Wait() })
	return tr
}

func (tr *traffic) write(ctx context.Context) {
	rnd := rand.New(rand.NewPCG(1, 2))
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	began := time.Now()
	for n := 0; ctx.Err() == nil; {
		for due := int(time.Since(began).Seconds() * rate); n < due; n++ {
			tr.f.client.Produce(ctx, &kgo.Record{Topic: tr.f.input, Key: key(rnd.IntN(*keys)), Value: []byte("x"), Timestamp: time.Now()}, nil)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

func (tr *traffic) came(r *kgo.Record) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if r.Timestamp.After(tr.newest[r.Partition]) {
		tr.newest[r.Partition] = r.Timestamp
	}
	if took := time.Since(r.Timestamp); r.Timestamp.After(tr.since) && took > tr.slowest[r.Partition] {
		tr.slowest[r.Partition] = took
	}
}

// begin forgets what was slow before.
func (tr *traffic) begin() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.since, tr.slowest = time.Now(), [partitions]time.Duration{}
}

// end waits until there are results of all that has been written until now, and returns how long the slowest since begin
// took, by partition.
func (tr *traffic) end() [partitions]time.Duration {
	tr.f.Helper()
	now := time.Now()
	tr.f.await("results", func() error {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		for p, t := range tr.newest {
			if t.Before(now) {
				return fmt.Errorf("partition %d has results of records up to %v ago", p, time.Since(t).Round(time.Millisecond))
			}
		}
		return nil
	})
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.slowest
}

func key(i int) []byte { return fmt.Appendf(nil, "k%07d", i) }
