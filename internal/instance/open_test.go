package instance

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// Four restores that wait (for a transaction that somebody left open on their
// changelogs, or just long ones) hold all the readers: tasks that have nothing to restore
// process meanwhile, and are committed.
func TestReadyTasksProcessWhileOthersRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 8
		w := newWorld(t, partitions, "lines", "copy", "events")
		adm := w.client()
		err := kafka.Create(t.Context(), adm, []kafka.TopicSpec{{Name: "app-counts-changelog", Partitions: partitions, ReplicationFactor: -1, Configs: kafka.ChangelogConfig()}})
		if err != nil {
			t.Fatal(err)
		}
		adm.Close()
		other := w.client(kgo.TransactionalID("other"), kgo.TransactionTimeout(5*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := other.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for p := range int32(partitions) {
			other.Produce(t.Context(), &kgo.Record{Topic: "app-counts-changelog", Partition: p, Key: []byte("k"), Value: make([]byte, 8)}, nil)
		}
		if err := other.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := topology.New()
		b.From(topology.NewTopic("events", serde.String, serde.String)).Count(store.KeyValue("counts", serde.String, serde.Int64))
		b.From(copyIn).To(copyOut)
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		in, stop := w.start(w.config(top.Plan()))
		time.Sleep(time.Minute)
		waiting := 0
		for _, id := range in.Status().Restoring {
			if id.Sub == 1 {
				waiting++
			}
		}
		if waiting > 0 {
			t.Errorf("%d of %d stateless tasks are not running after a minute", waiting, partitions)
		}
		const records = 5 * partitions
		w.produce("lines", 0, records)
		w.read("copy", records)
		if restoring := len(in.Status().Restoring); restoring != partitions {
			t.Errorf("%d tasks restore, and not all %d that cannot end", restoring, partitions)
		}
		if err := other.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Error(err)
		}
		other.Close()
		time.Sleep(time.Minute)
		stop()
	})
}

// An unlogged store "is lost with the local state, and starts empty wherever its task
// moves". When a task comes back to a process that has had it, it finds what it left
// there: of two processes that take turns each goes on from its own past. (After a
// crash it likewise finds the last flush, which fits no committed offset.)
func TestUnloggedStoreStartsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		b := topology.New()
		counts := topology.NewTopic("copy", serde.String, serde.Int64)
		b.From(copyIn).Count(store.KeyValue("n", serde.String, serde.Int64).Unlogged()).Stream().To(counts)
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		turn := func(dir string, disk engine.Engine, records int) {
			cfg := w.config(top.Plan())
			cfg.StateDir = dir
			cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
			_, stop := w.start(cfg)
			time.Sleep(10 * time.Second)
			for range records {
				err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "lines", Key: []byte("k"), Value: []byte("v")}).FirstErr()
				if err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(10 * time.Second)
			stop()
		}
		dirA, dirB, a, other := t.TempDir(), t.TempDir(), memory.New(), memory.New()
		turn(dirA, a, 5)
		turn(dirB, other, 2)
		turn(dirA, a, 1)
		cl.Close()
		var got []string
		for _, r := range w.read("copy", 8) {
			n, err := serde.Int64.Decode(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(n))
		}
		if want := "[1 2 3 4 5 1 2 1]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
