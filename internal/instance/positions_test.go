package instance

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/worker"
)

// A source read from its end commits nothing until a record has been processed. Every
// open of the task before that takes "the end" anew: what was written while the
// process was down (or between the fetch of one owner and the open of the next, or in
// a first transaction that came to nothing) is lost without a word.
func TestLatestIsPinned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		var seen atomic.Int64
		plan := copyPlan(t, copyIn.Latest(), func(_, _ string) { seen.Add(1) })
		cfg := w.config(plan)
		_, stop := w.start(cfg)
		time.Sleep(20 * time.Second) // long since running, at the end of the topic
		stop()
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		for range 5 {
			w.send(cl, 0, "while it was down")
		}
		_, stop = w.start(cfg)
		time.Sleep(20 * time.Second)
		stop()
		if n := seen.Load(); n != 5 {
			t.Errorf("of 5 records written after the first start %d were processed", n)
		}
	})
}

// Upstream writes in transactions, everything is processed, and then retention empties
// the partition: its log start is its end. Nothing was lost, and the next start must
// not say so.
func TestMarkersAndRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		up := w.client(kgo.TransactionalID("up"))
		defer up.Close()
		if err := up.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		up.Produce(t.Context(), &kgo.Record{Topic: "lines", Value: []byte("x")}, nil)
		if err := up.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := up.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		cfg := w.config(copyPlan(t, copyIn, func(_, _ string) {}))
		_, stop := w.start(cfg)
		time.Sleep(20 * time.Second)
		stop()

		adm := w.client()
		defer adm.Close()
		lines := kafka.TopicPartition{Topic: "lines"}
		end, err := kafka.ListOffsets(t.Context(), adm, kafka.Latest, []kafka.TopicPartition{lines})
		if err != nil {
			t.Fatal(err)
		}
		if err := kafka.Purge(t.Context(), adm, end); err != nil { // as retention would
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := New(cfg).Run(ctx); err != nil {
			t.Errorf("nothing was lost, but: %v", err)
		}
	})
}

// deliveries counts the records of a partition that the consumer hands out.
type deliveries struct {
	n atomic.Int64
}

func (d *deliveries) OnFetchRecordUnbuffered(r *kgo.Record, polled bool) {
	if polled && r.Topic == "lines" {
		d.n.Add(1)
	}
}

// A transaction fails because the tasks are not ours any more (the usual end of a
// process that was paused): the worker gives the runs to Reopen, which waits a little
// before it would remove their feeds. In that time the member calls Lost, which ends
// the wait: nobody removes the feeds, and the partition is fetched, and thrown away,
// for as long as the process lives or until the partition comes back. (If a new owner
// purges it, a repartition topic, the fetch gets OFFSET_OUT_OF_RANGE and the process
// ends.)
func TestLostWhileReopeningLeaksFeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		cfg := w.config(copyPlan(t, copyIn, func(_, _ string) {}))
		d := &deliveries{}
		cfg.ClientOptions = append(cfg.ClientOptions, kgo.WithHooks(d))
		in, stop := w.start(cfg)
		time.Sleep(10 * time.Second)
		id := assign.Task{}
		run := in.running()[id]
		if run == nil {
			t.Fatalf("not running: %+v", in.Status())
		}
		// What Worker.recover does: it forgets the run, and calls Reopen.
		if err := in.workers[0].Release(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		in.reopen([]*worker.Run{run}, nil)
		in.Lost(t.Context(), []assign.Task{id}) // what the member does
		time.Sleep(10 * time.Second)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		before := d.n.Load()
		for range 100 {
			w.send(cl, 0, "another's")
		}
		cl.Close()
		time.Sleep(10 * time.Second)
		if n := d.n.Load() - before; n > 0 {
			t.Errorf("%d records were fetched of a partition that was lost", n)
		}
		stop()
	})
}
