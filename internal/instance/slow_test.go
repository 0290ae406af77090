package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// await returns the first n committed records of a topic, in the order they came, and the
// longest time between two of them.
func (w *world) await(topic string, n int) (rs []*kgo.Record, pause time.Duration) {
	w.t.Helper()
	cl := w.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for last := time.Now(); len(rs) < n; {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Fatalf("%s has %d committed records after ten minutes, and should have %d", topic, len(rs), n)
		}
		if fs.NumRecords() == 0 {
			continue
		}
		if len(rs) > 0 {
			pause = max(pause, time.Since(last))
		}
		last = time.Now()
		rs = append(rs, fs.Records()...)
	}
	return rs, pause
}

const many = 30 // tasks of one worker, each of whose turns takes a second

// One worker's tasks take a second for each record: what they do is committed long before
// all of them had their turn, which would be later than the brokers let a transaction stay
// open, and all get their turns.
func TestManySlowTasks(t *testing.T) {
	for name, plan := range map[string]func(t *testing.T) *task.Plan{
		"records": func(t *testing.T) *task.Plan {
			return copyPlan(t, copyIn, func(_, _ string) { time.Sleep(time.Second) })
		},
		"timers": func(t *testing.T) *task.Plan {
			b := topology.New()
			b.From(copyIn).Process("slow", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
				c.Every(2*time.Second, topology.WallClock, func(now time.Time) error {
					time.Sleep(time.Second)
					return c.Emit(topology.Record[string, string]{Key: "k", Value: "tick", Time: now})
				})
				return func(topology.Record[string, string]) error { return nil }, nil
			}).To(copyOut)
			return built(t, b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, many, "lines", "copy")
				cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
				for p := range int32(many) {
					for i := range 3 {
						w.send(cl, p, fmt.Sprint(p, "_", i))
					}
				}
				cl.Close()
				cfg := w.config(plan(t))
				cfg.Workers = 1
				in, stop := w.start(cfg)
				rs, pause := w.await("copy", 3*many)
				if pause > 5*time.Second {
					t.Errorf("%v passed between two commits", pause)
				}
				if name == "records" {
					var turns []string
					for _, r := range rs[:2*many] {
						turns = append(turns, string(r.Value[:slices.Index(r.Value, '_')]))
					}
					if slices.Sort(turns); len(slices.Compact(turns)) != many {
						t.Errorf("while some have had all their turns, others had none: %v", turns)
					}
				}
				if n := len(in.Status().Running); n != many {
					t.Errorf("%d tasks run", n)
				}
				stop()
			})
		})
	}
}

// A task that is revoked while the code of its processor opens leaves nothing behind: its
// timers do not fire here any more.
func TestRevokedWhileItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 8
		w := newWorld(t, partitions, "lines", "copy")
		var mu sync.Mutex
		fired := map[string]map[string]bool{} // by process, the tasks whose timers fired lately
		config := func(process string) Config {
			b := topology.New()
			b.From(copyIn).Process("slow", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
				time.Sleep(10 * time.Second)
				c.Every(time.Second, topology.WallClock, func(time.Time) error {
					mu.Lock()
					defer mu.Unlock()
					if fired[process] == nil {
						fired[process] = map[string]bool{}
					}
					fired[process][c.TaskID()] = true
					return nil
				})
				return func(topology.Record[string, string]) error { return nil }, nil
			}).To(copyOut)
			return w.config(built(t, b))
		}
		cfg := config("a")
		var log logged
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		a, stopA := w.start(cfg)
		time.Sleep(5 * time.Second)
		b, stopB := w.start(config("b"))
		time.Sleep(time.Minute)
		mu.Lock()
		clear(fired)
		mu.Unlock()
		time.Sleep(10 * time.Second)
		mu.Lock()
		for process, in := range map[string]*Instance{"a": a, "b": b} {
			if owned, fired := len(in.Status().Running), len(fired[process]); owned != partitions/2 || fired != owned {
				t.Errorf("%s runs %d tasks, and the timers of %d fire there", process, owned, fired)
			}
		}
		mu.Unlock()
		if text := log.String(); strings.Contains(text, "transaction failed") || !strings.Contains(text, "tasks revoked") {
			t.Errorf("what is left of tasks that were revoked fails others' transactions, or none were: %s", text)
		}
		stopB()
		stopA()
	})
}

// The code of one worker's task does not return. Tasks that are for that worker wait, and
// no others: what restores them is not kept meanwhile.
func TestStuckWorkerKeepsOnlyItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 32
		w := newWorld(t, partitions, "lines", "counts")
		held := make(chan struct{})
		var holds atomic.Bool
		config := func(process string) Config {
			b := topology.New()
			b.From(copyIn).Peek(func(_, _ string) {
				if process == "a" && holds.CompareAndSwap(false, true) {
					<-held
				}
			}).Count(store.KeyValue("n", serde.String, serde.Int64)).Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
			return w.config(built(t, b))
		}
		holds.Store(true)
		a, stopA := w.start(config("a"))
		b := w.host(config("b").Plan, 2)
		dying, die := context.WithCancel(context.Background())
		dead := make(chan error)
		go func() { dead <- b.crash(dying, b.cfg) }()
		time.Sleep(20 * time.Second)
		w.produce("lines", 0, 10*partitions)
		time.Sleep(20 * time.Second)
		if n := len(a.Status().Running); n != partitions/2 {
			t.Fatalf("it runs %d tasks", n)
		}
		holds.Store(false)
		w.produce("lines", 0, 10*partitions)
		time.Sleep(5 * time.Second)
		die()
		<-dead
		time.Sleep(30 * time.Second)
		if st := a.Status(); len(st.Running) != partitions*3/4 || len(st.Restoring) != partitions/4 {
			t.Errorf("beside a worker that is stuck %d tasks run and %d wait", len(st.Running), len(st.Restoring))
		}
		close(held)
		time.Sleep(30 * time.Second)
		if st := a.Status(); len(st.Running) != partitions {
			t.Errorf("when it goes on %d tasks run and %d wait", len(st.Running), len(st.Restoring))
		}
		stopA()
	})
}

// What policies passed over in a transaction that failed is not counted for the next attempt
// once more.
func TestFailuresOfFailedTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		w.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.InvalidProducerEpoch, Count: 3})
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for _, v := range []string{"bad", "bad", "bad", "bad", "good"} {
			w.send(cl, 0, v)
		}
		cl.Close()
		cfg := w.config(failing(t, func(v string) error {
			if v == "bad" {
				return errors.New("this is bad")
			}
			return nil
		}))
		cfg.Policies.Process, cfg.Tolerance = task.Skip, Tolerance{5, time.Hour}
		m := newMeter(t, &cfg)
		_, stop := w.start(cfg)
		if rs, _ := w.await("copy", 1); string(rs[0].Value) != "good" {
			t.Errorf("got %q", rs[0].Value)
		}
		m.expect(map[string]float64{"leat.records.dropped{reason=" + task.DropProcess.String() + "}": 4})
		stop()
	})
}
