package instance

import (
	"context"
	"log/slog"
	"testing"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/worker"
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

func (l *lateCommit) ListOffsets(_ context.Context, at kafka.LogPoint, tps []kafka.TopicPartition) (map[kafka.TopicPartition]int64, error) {
	out := map[kafka.TopicPartition]int64{}
	for _, tp := range tps {
		if out[tp] = 2; at == kafka.Earliest {
			out[tp] = 0
		}
	}
	return out, nil
}

func (l *lateCommit) End(ctx context.Context, tps []kafka.TopicPartition) (map[kafka.TopicPartition]int64, error) {
	return l.ListOffsets(ctx, kafka.Latest, tps)
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
