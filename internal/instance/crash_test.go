package instance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/task"
)

var errCrash = failpoint.ErrCrash

// A durable engine outlives the instance that opened it, as a directory does.
type durable struct{ engine.Engine }

func (durable) Close() error { return nil }

// A host runs an instance again and again over one state directory, and crashes it.
type host struct {
	w    *world
	cfg  Config
	rnd  *rand.Rand
	disk engine.Engine
}

func (w *world) host(plan *task.Plan, seed uint64) *host {
	h := &host{w: w, cfg: w.config(plan), rnd: rand.New(rand.NewPCG(seed, 7)), disk: memory.New()}
	h.cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{h.disk}, nil }
	h.cfg.FlushInterval = []time.Duration{50 * time.Millisecond, 10 * time.Second}[h.rnd.IntN(2)]
	return h
}

// crashes runs the instance until it has crashed n times: at random points of
// commits, and at random moments. A crash leaves the transaction open, and the
// group and the broker without a word.
func (h *host) crashes(n int) {
	for i := range n {
		at := failpoint.Points[h.rnd.IntN(len(failpoint.Points))]
		left := h.rnd.IntN(20)
		var mu sync.Mutex
		cfg := h.cfg
		cfg.Failpoint = func(p failpoint.Point) error {
			mu.Lock()
			defer mu.Unlock()
			if p == at {
				left--
			}
			if left < 0 && p == at {
				return errCrash
			}
			return nil
		}
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Duration(h.rnd.IntN(4000))*time.Millisecond, errCrash)
		err := h.crash(ctx, cfg)
		cancel()
		if !errors.Is(err, errCrash) {
			h.w.t.Fatalf("crash %d at %s: %v", i, at, err)
		}
	}
}

// crash runs an instance until ctx ends or it hits a failpoint, and drops it.
func (h *host) crash(ctx context.Context, cfg Config) error {
	in := New(cfg)
	stop := context.AfterFunc(ctx, func() {
		in.fail(errCrash)
	})
	defer stop()
	return in.Run(context.Background())
}

// seeds are random, or the one in LEAT_SEED.
func seeds(t *testing.T, n int) (out []uint64) {
	if s := os.Getenv("LEAT_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	for range n {
		out = append(out, rand.Uint64())
	}
	return out
}

func TestExactlyOnceAcrossCrashes(t *testing.T) {
	for _, seed := range seeds(t, 5) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, "lines", "counts")
				plan := wordCount(t)
				const lines = 400
				go func() {
					for i := range lines {
						w.produce("lines", i, 1)
						time.Sleep(50 * time.Millisecond)
					}
				}()
				var hosts sync.WaitGroup
				for i := range uint64(2) {
					hosts.Go(func() {
						h := w.host(plan, seed+i)
						h.crashes(10)
						in, stop := w.start(h.cfg)
						_ = in
						time.Sleep(2 * time.Minute)
						stop()
					})
				}
				hosts.Wait()
				w.checkCounts("counts", lines)
			})
		})
	}
}
