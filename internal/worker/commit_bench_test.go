package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
)

// prompt is brokers that answer at once: what is left is the worker's own.
type prompt struct{ offset int64 }

func (p *prompt) Producer(...kgo.Opt) (Client, error) { return p, nil }

func (p *prompt) Commit(context.Context, kafka.Identity, map[kafka.TopicPartition]kafka.Committed) error {
	return nil
}

func (p *prompt) CommitTxn(context.Context, Client, kafka.Identity, map[kafka.TopicPartition]kafka.Committed) error {
	return nil
}

func (p *prompt) Heartbeat(context.Context, kafka.Identity) error { return nil }

func (p *prompt) ProducerID(context.Context) (id int64, epoch int16, err error) { return 1, 0, nil }

func (p *prompt) BeginTransaction() error { return nil }

func (p *prompt) Produce(_ context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	p.offset++
	r.Offset = p.offset
	promise(r, nil)
}

func (p *prompt) Flush(context.Context) error { return nil }

func (p *prompt) PartitionLeader(string, int32) (leader, epoch int32, err error) { return 0, 0, nil }

func (p *prompt) EndTransaction(context.Context, kgo.TransactionEndTry) error { return nil }

func (p *prompt) AbortBufferedRecords(context.Context) error { return nil }

func (p *prompt) Close() {}

// A unit of work of 100 records of one task, beside tasks that have nothing to do: those cost it nothing.
func BenchmarkCommit(b *testing.B) {
	for _, idle := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("idle=%d", idle), func(b *testing.B) {
			var cache atomic.Int64
			cache.Store(1 << 20)
			eng := memory.New()
			w := New(Config{
				TransactionalID: "app-0", TransactionTimeout: time.Minute, CommitInterval: time.Hour, FlushInterval: time.Hour, FlushBytes: 1 << 20,
				BufferBytes: 4 << 20, MaxRecord: 1 << 20, Engine: eng, CacheBytes: &cache, Kafka: &prompt{},
				Owner: &owner{id: member.Identity{MemberID: "member", Generation: 1}}, Log: slog.New(slog.DiscardHandler),
			})
			ctx := b.Context()
			if err := w.open(ctx); err != nil {
				b.Fatal(err)
			}
			var busy *Run
			for p := range int32(idle + 1) {
				t, err := task.New(counter(), p, task.Env{App: "app"}, func(s task.Store) (*state.Store, error) {
					return state.Open(eng, engine.Namespace{Store: s.Name, Partition: p}, s.Layout)
				})
				if err != nil {
					b.Fatal(err)
				}
				if err := t.Resume(in, 0, offsetmeta.Metadata{PartitionTime: offsetmeta.Unknown}); err != nil {
					b.Fatal(err)
				}
				r := &Run{Task: t, Claim: member.Claim{Task: assign.Task{Partition: p}, Incarnation: 1}, Feeds: []*fetch.Feed{{Topic: in, Partition: p}}}
				w.add(r)
				if busy == nil {
					busy = r
				}
			}
			unit := make([]task.Message, 100)
			for i := range unit {
				unit[i].Key = fmt.Append(nil, i)
			}
			offset := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				for i := range unit {
					unit[i].Offset = offset
					offset++
				}
				busy.Task.Enqueue(0, unit, offset, offset)
				busy.queued, w.active = true, append(w.active, busy)
				if err := w.round(ctx); err != nil {
					b.Fatal(err)
				}
				if err := w.commit(ctx); err != nil {
					b.Fatal(err)
				}
			}
			if records, commits := w.Processed(); records != offset || commits != offset/100 {
				b.Fatalf("%d records and %d commits of %d", records, commits, offset)
			}
		})
	}
}
