package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/worker"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// A lateCommit is a Kafka in which a task's first transaction commits between the request for
// the offsets and that for the changelog's end.
type lateCommit struct{ asked int }

func (l *lateCommit) FetchStable(context.Context, []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error) {
	if l.asked++; l.asked == 1 {
		return nil, nil
	}
	return map[kafka.TopicPartition]kafka.Committed{{Topic: "values"}: {Offset: 1}}, nil
}

func (l *lateCommit) FetchCommitted(ctx context.Context, tps []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error) {
	return l.FetchStable(ctx, tps)
}

func (l *lateCommit) Bounds(_ context.Context, _ kafka.LogPoint, tps []kafka.TopicPartition) (begins, ends map[kafka.TopicPartition]int64, err error) {
	begins, ends = map[kafka.TopicPartition]int64{}, map[kafka.TopicPartition]int64{}
	for _, tp := range tps {
		begins[tp], ends[tp] = 0, 2
	}
	return begins, ends, nil
}

func (l *lateCommit) Run(_ context.Context, targets []changelog.Target, apply func(changelog.Batch) error) error {
	for _, t := range targets {
		b := changelog.Batch{TopicPartition: t.TopicPartition, Next: 2, End: 2}
		b.Records = []changelog.Record{{Key: []byte("k"), Value: []byte("eight...")}}
		if err := apply(b); err != nil {
			return err
		}
	}
	return nil
}

// A process that restores a task which it has lost in the meantime must not take the
// first transaction of the new owner for state whose offsets have expired.
func TestFirstCommitOfAnother(t *testing.T) {
	t.Parallel()
	plan, l := simTimers().plan, &lateCommit{}
	topics, err := layout.Resolve(plan, simApp, map[string]int32{"values": 1, "sums": 1, "ticks": 1})
	if err != nil {
		t.Fatal(err)
	}
	in := New(Config{App: simApp, Plan: plan, MemoryBudget: 1 << 20, Log: slog.New(slog.DiscardHandler)})
	in.engine, in.logs, in.layout, in.topics = memory.New(), l, topics, map[string]kafka.Topic{}
	s := &slot{sub: in.subOf(assign.Task{}), worker: worker.New(worker.Config{}), ctx: t.Context()}
	if _, err := in.restore(s, l); err != nil || l.asked != 2 {
		t.Errorf("after %d requests for offsets: %v", l.asked, err)
	}
	if v, _, ok, _ := s.stores[0].Get([]byte("k")); !ok || string(v) != "eight..." {
		t.Errorf("the state is %q, %v", v, ok)
	}
}

// Without transactions a crash may come when a task has state in its changelog and has
// never committed: the group must know by then where it began.
func TestCrashInFirstCommitAtLeastOnce(t *testing.T) {
	b := topology.New()
	b.From(topology.NewTopic("lines", serde.String, serde.String)).
		Count(store.KeyValue("counts", serde.String, serde.Int64)).
		Stream().
		To(topology.NewTopic("counts", serde.String, serde.Int64))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // a commit may be one of offsets alone
		t.Run(fmt.Sprint("commit=", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "lines", "counts")
				const lines = 20
				w.produce("lines", 0, lines)
				h := w.host(top.Plan(), 1)
				h.cfg.ExactlyOnce, h.cfg.Workers = false, 1
				cfg, left := h.cfg, n
				cfg.Failpoint = func(p failpoint.Point) error {
					if p == failpoint.Flushed {
						left--
					}
					if left < 0 {
						return errCrash
					}
					return nil
				}
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errCrash)
				defer cancel()
				if err := h.crash(ctx, cfg); !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				_, stop := w.start(h.cfg)
				counted := map[string]bool{}
				for _, r := range w.read("counts", lines) {
					counted[string(r.Key)] = true
				}
				stop()
				if len(counted) != lines {
					t.Errorf("%d lines were counted, not %d", len(counted), lines)
				}
			})
		})
	}
}
