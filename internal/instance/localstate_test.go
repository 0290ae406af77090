package instance

import (
	"context"
	"encoding/binary"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// One transaction in fifty fails, for whatever passing reason, and each time the next
// ones succeed. Failures are forgotten only after a minute without one, not when a
// transaction succeeds: 26 of them within less than a minute of each other end the
// process with "failed 26 times in a row". 26 without a success in between do.
func TestFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		var fail, always atomic.Bool
		w.c.ControlKey(int16(kmsg.TxnOffsetCommit), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			w.c.KeepControl()
			if !fail.Swap(always.Load()) {
				return nil, nil, false
			}
			req := kreq.(*kmsg.TxnOffsetCommitRequest)
			resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
			for _, rt := range req.Topics {
				st := kmsg.NewTxnOffsetCommitResponseTopic()
				st.Topic, st.TopicID = rt.Topic, rt.TopicID
				for _, rp := range rt.Partitions {
					sp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
					sp.Partition, sp.ErrorCode = rp.Partition, kerr.TransactionAbortable.Code
					st.Partitions = append(st.Partitions, sp)
				}
				resp.Topics = append(resp.Topics, st)
			}
			return resp, nil, true
		})
		cfg := w.config(copyPlan(t, copyIn, func(_, _ string) {}))
		m := newMeter(t, &cfg)
		in := New(cfg)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- in.Run(ctx) }()
		time.Sleep(10 * time.Second)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		for i := range 1500 {
			fail.Store(i%50 == 0)
			w.send(cl, 0, "x")
			time.Sleep(time.Second)
			select {
			case err := <-ended:
				t.Fatalf("after %d records and %d commits that succeeded: %v", i, in.Status().Commits, err)
			default:
			}
		}
		m.expect(map[string]float64{"leat.commits.failed{step=offset commit}": 30})
		always.Store(true)
		fail.Store(true)
		w.send(cl, 0, "x")
		began := time.Now()
		err := <-ended
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "task 0_0: its transaction has failed 26 times in a row") || took > 3*time.Minute {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// rows runs plan over disk until the tasks run, and then looks into the store of
// partition 0.
func (w *world) rows(cfg Config, look func(get func(key string) bool)) {
	w.t.Helper()
	in, stop := w.start(cfg)
	time.Sleep(20 * time.Second)
	for _, run := range in.running() {
		for _, worker := range in.workers {
			if err := worker.Release(w.t.Context(), run); err != nil {
				w.t.Fatal(err)
			}
		}
		look(func(key string) bool {
			_, _, ok, err := run.Task.Stores()[0].State.Get([]byte(key))
			if err != nil {
				w.t.Error(err)
			}
			return ok
		})
	}
	stop()
}

// phantom writes a row to a store behind the runtime's back.
func phantom(t *testing.T, disk engine.Engine, name string) {
	t.Helper()
	var b engine.Batch
	b.Set(engine.Namespace{Store: name}, []byte("phantom"), binary.BigEndian.AppendUint64(make([]byte, 8), 7))
	if err := disk.Write(&b); err != nil {
		t.Fatal(err)
	}
}

// The changelog keeps tombstones for an hour (its delete.retention.ms). The process is
// away for two, in which another one deletes a row, and compaction drops row and
// tombstone: nothing in the changelog tells of it any more. Local state of that age is
// not to be trusted, by the topic's configuration and not by Kafka's default for it.
func TestLocalStateOlderThanTombstones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		b := topology.New()
		b.From(copyIn).Count(store.KeyValue("n", serde.String, serde.Int64).TopicConfig(map[string]string{"delete.retention.ms": "3600000"}))
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		disk := memory.New()
		cfg := w.config(top.Plan())
		cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "lines", Key: []byte("k"), Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		w.rows(cfg, func(get func(string) bool) {
			if !get("k") {
				t.Error("k was not counted")
			}
		})
		phantom(t, disk, "n") // the row that another process deletes meanwhile
		time.Sleep(2 * time.Hour)
		w.rows(cfg, func(get func(string) bool) {
			if get("phantom") {
				t.Error("a row that was deleted two hours ago is back")
			}
		})
	})
}

// A namespace without a position is nobody's state: the store was unlogged until now,
// say. What is in it is no part of the changelog, which is restored on top of it.
func TestStateWithoutPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		b := topology.New()
		b.From(copyIn).Count(store.KeyValue("n", serde.String, serde.Int64))
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		disk := memory.New()
		phantom(t, disk, "n")
		cfg := w.config(top.Plan())
		cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
		w.rows(cfg, func(get func(string) bool) {
			if get("phantom") {
				t.Error("the store holds a row that its changelog never had")
			}
		})
	})
}
