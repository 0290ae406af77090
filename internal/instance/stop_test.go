package instance

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
)

var (
	copyIn  = topology.NewTopic("lines", serde.String, serde.String)
	copyOut = topology.NewTopic("copy", serde.String, serde.String)
)

// copyPlan copies lines to copy and shows each record to peek.
func copyPlan(t *testing.T, in topology.Topic[string, string], peek func(k, v string)) *task.Plan {
	t.Helper()
	b := topology.New()
	b.From(in).Peek(peek).To(copyOut)
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return top.Plan()
}

func (w *world) send(cl *kgo.Client, p int32, v string) {
	w.t.Helper()
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "lines", Partition: p, Value: []byte(v)}).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// The workers are stopped one after the other. While the second one finishes what it
// has in hand (here two seconds; a few commits' time is enough with more partitions)
// the fetcher goes on, and blocks on the queue of the first one, which has ended.
// Leave then calls Revoked, which waits for the fetcher to remove the feeds: until
// ShutdownTimeout. Then the group has not been left, and the tasks move only when the
// session times out.
func TestStopUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "lines", "copy")
		plan := copyPlan(t, copyIn, func(_, v string) {
			if v == "slow" {
				time.Sleep(2 * time.Second)
			}
		})
		_, stop := w.start(w.config(plan))
		time.Sleep(10 * time.Second)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		quit, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-quit:
					return
				case <-time.After(50 * time.Millisecond):
					w.send(cl, 0, "quick")
				}
			}
		}()
		time.Sleep(time.Second)
		w.send(cl, 1, "slow")
		time.Sleep(300 * time.Millisecond)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the stop took %v", took)
		}
		close(quit)
		<-ended
	})
}

// A process that keeps its tasks over a stop comes back within its session: nothing has
// moved. The second time it does not come back, and the other one gets its tasks when the
// session has timed out.
func TestStayOnStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, "lines", "counts")
		plan := wordCount(t)
		cfg, other := w.config(plan), w.config(plan)
		cfg.StayOnStop = true
		m := newMeter(t, &other)
		a, stopA := w.start(cfg)
		time.Sleep(10 * time.Second)
		b, stopB := w.start(other)
		time.Sleep(20 * time.Second)
		w.produce("lines", 0, 40)
		time.Sleep(10 * time.Second)
		had, has := a.Status().Running, b.Status().Running
		before := m.read()

		stay := func(when string) {
			t.Helper()
			if now := b.Status(); !slices.Equal(now.Running, has) || len(now.Restoring) > 0 {
				t.Errorf("%s the other one runs %v and opens %v; it had %v", when, now.Running, now.Restoring, has)
			}
			now := m.read()
			for _, moved := range []string{"leat.tasks.moved{how=assigned}", "leat.tasks.moved{how=revoked}", "leat.tasks.moved{how=lost}"} {
				if n := now[moved] - before[moved]; n != 0 {
					t.Errorf("%s %s has risen by %v", when, moved, n)
				}
			}
		}
		if len(had) != 4 || len(has) != 4 {
			t.Fatalf("%v and %v run", had, has)
		}
		stopA()
		w.produce("lines", 40, 40)
		time.Sleep(cfg.SessionTimeout / 2)
		stay("while it is away")
		a, stopA = w.start(cfg)
		time.Sleep(2 * cfg.SessionTimeout)
		stay("when it is back")
		if now := a.Status().Running; !slices.Equal(now, had) {
			t.Errorf("it runs %v; it had %v", now, had)
		}
		w.checkCounts("counts", 80)

		stopA()
		w.produce("lines", 80, 40)
		time.Sleep(cfg.SessionTimeout / 2)
		stay("while it is away again")
		time.Sleep(cfg.SessionTimeout)
		if now := b.Status().Running; len(now) != 8 {
			t.Errorf("after its session the other one runs %v", now)
		}
		w.checkCounts("counts", 120)
		stopB()
	})
}

// One worker whose code is slow must not keep the others from their records, nor the
// instance from answering a rebalance: the fetcher sends to workers' queues of eight
// batches, whatever their size, and waits.
func TestSlowTaskDoesNotStopOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "lines", "copy")
		release := make(chan struct{})
		var others atomic.Int64
		plan := copyPlan(t, copyIn, func(_, v string) {
			if v == "slow" {
				<-release
			} else {
				others.Add(1)
			}
		})
		in, stop := w.start(w.config(plan))
		time.Sleep(10 * time.Second)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		w.send(cl, 0, "slow")
		const records = 60
		for range records {
			time.Sleep(500 * time.Millisecond)
			w.send(cl, 0, "more")
			w.send(cl, 1, "other")
		}
		time.Sleep(10 * time.Second)
		if got := others.Load(); got < records {
			t.Errorf("while a task of one worker is slow, the other worker has seen %d of %d records (%v)", got, records, in.Status())
		}
		close(release)
		cl.Close()
		time.Sleep(10 * time.Second)
		stop()
	})
}
