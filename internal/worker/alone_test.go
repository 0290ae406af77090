package worker

import (
	"context"
	"errors"
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

// alone is a worker with some tasks that count, at brokers that answer at once; the caller is its goroutine.
func alone(t testing.TB, eng engine.Engine, tasks int) (w *Worker, runs []*Run) {
	t.Helper()
	var cache atomic.Int64
	cache.Store(16 << 20)
	w = New(Config{
		TransactionalID: "app-0", TransactionTimeout: time.Minute, CommitInterval: time.Hour, FlushInterval: time.Hour, FlushBytes: 16 << 20,
		BufferBytes: 4 << 20, BufferRecords: 1 << 17, MaxRecord: 1 << 20, Engine: eng, CacheBytes: &cache, Kafka: &prompt{},
		Owner: &owner{id: member.Identity{MemberID: "member", Generation: 1}}, Log: slog.New(slog.DiscardHandler),
	})
	if err := w.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for p := range int32(tasks) {
		tsk, err := task.New(counter(), p, task.Env{App: "app"}, func(s task.Store) (*state.Store, error) {
			return state.Open(eng, engine.Namespace{Store: s.Name, Partition: p}, s.Layout)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := tsk.Resume(in, 0, offsetmeta.Metadata{PartitionTime: offsetmeta.Unknown}); err != nil {
			t.Fatal(err)
		}
		r := &Run{Task: tsk, Claim: member.Claim{Task: assign.Task{Partition: p}, Incarnation: 1}, Feeds: []*fetch.Feed{{Topic: in, Partition: p}}}
		w.add(r)
		runs = append(runs, r)
	}
	return w, runs
}

// give hands records with the keys 0 to n-1 to a task, from an offset on.
func (w *Worker) give(r *Run, unit []task.Message, from int64) {
	for i := range unit {
		unit[i].Offset = from + int64(i)
	}
	after := from + int64(len(unit))
	r.Task.Enqueue(0, unit, after, after)
	r.queued, w.active = true, append(w.active, r)
}

func unitOf(n int) []task.Message {
	unit := make([]task.Message, n)
	for i := range unit {
		unit[i].Key = fmt.Append(nil, i)
	}
	return unit
}

// A unit of work of 100 records of one task, beside tasks that have nothing to do: those cost it nothing.
func BenchmarkCommit(b *testing.B) {
	for _, idle := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("idle=%d", idle), func(b *testing.B) {
			w, runs := alone(b, memory.New(), 1+idle)
			unit, offset := unitOf(100), int64(0)
			b.ReportAllocs()
			for b.Loop() {
				w.give(runs[0], unit, offset)
				offset += int64(len(unit))
				if err := errors.Join(w.round(b.Context()), w.commit(b.Context())); err != nil {
					b.Fatal(err)
				}
			}
			if records, commits := w.Processed(); records != offset || commits != offset/100 {
				b.Fatalf("%d records and %d commits of %d", records, commits, offset)
			}
		})
	}
}

// pieces is an engine that remembers how many changes each batch had, by what the batch has the position of.
type pieces struct {
	engine.Engine
	ops []map[engine.Namespace]int
}

func (p *pieces) Write(b *engine.Batch) error {
	ops := map[engine.Namespace]int{}
	for ns := range b.Positions {
		ops[ns] = 0
	}
	for _, op := range b.Ops {
		if _, ok := b.Positions[op.NS]; !ok {
			return fmt.Errorf("changes of %v without its position", op.NS)
		}
		ops[op.NS]++
	}
	p.ops = append(p.ops, ops)
	return p.Engine.Write(b)
}

// Much is given to the engine store by store, little at once; a store always whole, and with its position.
func TestStoreAtATime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ keys, batches int }{"much": {manyOps, 3}, "little": {10, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eng := &pieces{Engine: memory.New()}
			w, runs := alone(t, eng, 3)
			for _, r := range runs {
				w.give(r, unitOf(c.keys), 0)
			}
			for !w.dry {
				if err := w.round(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, r := range runs { // what they have is not the fetcher's
					if r.Task.Queued(0) > 0 && !r.queued {
						r.queued, w.active = true, append(w.active, r)
					}
				}
			}
			if err := errors.Join(w.commit(t.Context()), w.flushEngine()); err != nil {
				t.Fatal(err)
			}
			all := map[engine.Namespace]int{}
			for _, ops := range eng.ops {
				for ns, n := range ops {
					all[ns] += n
				}
			}
			if len(eng.ops) != c.batches || len(all) != len(runs) {
				t.Errorf("%d batches of %d stores", len(eng.ops), len(all))
			}
			for ns, n := range all {
				if n < c.keys {
					t.Errorf("%v: %d changes of %d", ns, n, c.keys)
				}
			}
			if w.behind != 0 || len(w.written) != 0 || !w.batch.Empty() {
				t.Errorf("%d bytes are behind, %d stores are not flushed", w.behind, len(w.written))
			}
		})
	}
}
