package instance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// A stream is records that are written all the time, and how long each partition's slowest took
// from its write to its committed result.
type stream struct {
	mu      sync.Mutex
	since   time.Time
	slowest map[int32]time.Duration
}

// flow begins a stream. Results must bear the times and be in the partitions of their records.
func (w *world) flow(from, to string) (s *stream, stop func()) {
	s = &stream{slowest: map[int32]time.Duration{}}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	out := w.client(kgo.DefaultProduceTopic(from))
	running.Go(func() {
		defer out.Close()
		for i := 0; ctx.Err() == nil; i++ {
			out.Produce(ctx, &kgo.Record{Key: fmt.Append(nil, i%64), Value: []byte("x"), Timestamp: time.Now()}, nil)
			time.Sleep(3 * time.Millisecond)
		}
	})
	in := w.client(kgo.ConsumeTopics(to), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	running.Go(func() {
		defer in.Close()
		for ctx.Err() == nil {
			in.PollFetches(ctx).EachRecord(s.came)
		}
	})
	return s, func() { cancel(); running.Wait() }
}

func (s *stream) came(r *kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Timestamp.After(s.since) {
		s.slowest[r.Partition] = max(s.slowest[r.Partition], time.Since(r.Timestamp))
	}
}

// while returns what the stream's slowest took while something happened, and 5 s after that.
func (s *stream) while(happens func()) map[int32]time.Duration {
	s.mu.Lock()
	s.since = time.Now()
	clear(s.slowest)
	s.mu.Unlock()
	happens()
	time.Sleep(5 * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	slowest := map[int32]time.Duration{}
	for p, took := range s.slowest {
		slowest[p] = took
	}
	return slowest
}

// owned are the partitions of a topology's one subtopology that an instance runs.
func owned(in *Instance) map[int32]bool {
	out := map[int32]bool{}
	for _, t := range in.Status().Running {
		out[t.Partition] = true
	}
	return out
}

// Whoever joins or stops, partitions that do not move go on: the slowest record waits for no
// more than a commit. Brokers and processes take no time here, so what is seen is what is
// waited for: the end of a join, a heartbeat, a linger, a fetch.
func TestRebalanceHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8, "lines", "counts")
		b := topology.New()
		b.From(copyIn).Count(store.KeyValue("n", serde.String, serde.Int64)).Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		config := func() Config {
			cfg := w.config(top.Plan())
			cfg.Heartbeat, cfg.Replicas = 200*time.Millisecond, member.Replicas{AcceptableLag: 10_000, Warmups: 4}
			return cfg
		}
		cfg, other := config(), config()
		a, stopA := w.start(cfg)
		s, stop := w.flow("lines", "counts")
		time.Sleep(3 * time.Second)

		check := func(what string, slowest map[int32]time.Duration, before, after map[int32]bool, moves int) {
			t.Helper()
			for p := range int32(8) {
				took, any := slowest[p]
				moved := before[p] != after[p]
				if moved {
					moves--
				}
				within := cfg.CommitInterval
				if moved {
					within += cfg.Heartbeat // until the others hear of it
				}
				if !any || took > within {
					t.Errorf("%s: partition %d, moved %t: the slowest record took %v (any %t)", what, p, moved, took, any)
				}
				t.Logf("%s: partition %d, moved %t: %v", what, p, moved, took)
			}
			if moves != 0 {
				t.Errorf("%s: %d more should have moved", what, moves)
			}
			if share, all := a.cache.Load(), cfg.entries(); share != all/int64(len(after)) {
				t.Errorf("%s: each of %d stores may take %d of %d bytes", what, len(after), share, all)
			}
		}
		alone := owned(a)
		check("nothing happens", s.while(func() {}), alone, owned(a), 0)
		var stopB func()
		slowest := s.while(func() { _, stopB = w.start(other) })
		both := owned(a)
		check("another one joins", slowest, alone, both, 4)
		slowest = s.while(func() { stopB() })
		check("it stops", slowest, both, owned(a), 4)
		slowest = s.while(func() { _, stopB = w.start(other) })
		back := owned(a)
		check("it comes back", slowest, alone, back, 4)
		stop()
		stopB()
		stopA()
	})
}
