package instance

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// Code that does not return is told of with its place and its stack, and so is that
// it goes on. Code that is slow with each record is none.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		held := make(chan struct{})
		plan := copyPlan(t, copyIn, func(_, v string) {
			switch v {
			case "slow":
				time.Sleep(9 * time.Second)
			case "never":
				<-held
			}
		})
		var log logged
		cfg := w.config(plan)
		cfg.StallTimeout, cfg.Log = 10*time.Second, slog.New(slog.NewTextHandler(&log, nil))
		in, stop := w.start(cfg)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for range 20 {
			w.send(cl, 0, "slow")
		}
		time.Sleep(4 * time.Minute)
		if st := in.Status(); len(st.Stalled) > 0 {
			t.Errorf("slow code is taken for a stall: %v", st.Stalled[0])
		}
		w.send(cl, 0, "never")
		cl.Close()
		time.Sleep(15 * time.Second)
		st := in.Status()
		if len(st.Stalled) != 1 {
			t.Fatal("no stall is seen")
		}
		where := st.Stalled[0].Where
		if where.Task != "0_0" || where.Node != "peek-1" || where.Topic != "lines" || where.Offset != 20 {
			t.Errorf("stalled at %+v", where)
		}
		if text := log.String(); !strings.Contains(text, "TestStall.func") || !strings.Contains(text, "offset=20") {
			t.Errorf("the log does not say where: %s", text)
		}
		close(held)
		time.Sleep(15 * time.Second)
		if st := in.Status(); len(st.Stalled) > 0 || !strings.Contains(log.String(), "has gone on") {
			t.Errorf("the stall is over, and status says %v", st.Stalled)
		}
		stop()
	})
}

// A process whose code does not return ends all the same when it is told to, and says
// why it has not ended well.
func TestStopOfStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		held := make(chan struct{})
		ctx, cancel := context.WithCancel(context.Background())
		in := New(w.config(copyPlan(t, copyIn, func(_, _ string) { <-held })))
		done := make(chan error, 1)
		go func() { done <- in.Run(ctx) }()
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		w.send(cl, 0, "one")
		cl.Close()
		time.Sleep(20 * time.Second)
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), "lines[0]@0") {
				t.Errorf("run: %v", err)
			}
		case <-time.After(31 * time.Second):
			t.Error("a second after it should have stopped it has not")
		}
		close(held)
		in.wg.Wait()
		in.closeAll() // as the end of the operating system's process would
	})
}

// opening opens its processor by open, and copies lines.
func opening(t *testing.T, open func()) *task.Plan {
	t.Helper()
	b := topology.New()
	b.From(copyIn).Process("slow", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
		open()
		return func(r topology.Record[string, string]) error { return c.Emit(r) }, nil
	}).To(copyOut)
	return built(t, b)
}

// filled has a global store that fill is called for.
func filled(t *testing.T, fill func(value string)) *task.Plan {
	t.Helper()
	b := topology.New()
	b.GlobalStore(topology.NewTopic("rows", serde.String, serde.String), store.KeyValue("table", serde.String, serde.String),
		func(rows *store.View[string, string], r topology.Record[string, string]) error {
			fill(r.Value)
			return rows.Put(r.Key, r.Value)
		})
	b.From(copyIn).To(copyOut)
	return built(t, b)
}

// hung runs an instance in which code hangs, expects that this is told of, with its place
// and its stack, and that the instance ends in time, says where it is stuck, and leaves
// only that behind, which release lets go on. first is done once it runs.
func (w *world) hung(cfg Config, place string, first func(in *Instance), release func()) {
	w.t.Helper()
	var log logged
	cfg.StallTimeout, cfg.Log = 10*time.Second, logTo(&log)
	in := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	time.Sleep(5 * time.Second)
	_ = in.Status() // for the race detector, which the clock tells nothing: what was set before is seen
	first(in)
	time.Sleep(15 * time.Second)
	if st := in.Status(); len(st.Stalled) != 1 || st.Stalled[0].String() != place {
		w.t.Errorf("stalled: %v, want %s", st.Stalled, place)
	}
	if in.snapshot().Stalled != 1 {
		w.t.Error("the metric counts no stall")
	}
	if text := log.String(); !strings.Contains(text, "code does not return") || !strings.Contains(text, "stalls_test.go") {
		w.t.Errorf("the log does not say where: %s", text)
	}
	began := time.Now()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), place) {
			w.t.Errorf("run: %v", err)
		}
		if took := time.Since(began); took > cfg.ShutdownTimeout {
			w.t.Errorf("it has stopped after %v, and may take %v", took, cfg.ShutdownTimeout)
		}
	case <-time.After(5 * time.Minute):
		w.t.Error("5 minutes after it was told to stop it has not")
	}
	release()
	in.wg.Wait()
	in.closeAll() // as the end of the operating system's process would
}

// A task that is being opened is in no worker. Who takes it away waits, until the process
// ends.
func TestOpenThatHangs(t *testing.T) {
	for name, revoked := range map[string]bool{"stopped": false, "revoked": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "lines", "copy")
				held, given := make(chan struct{}), make(chan struct{})
				revoke := func(in *Instance) {
					go func() {
						defer close(given)
						if revoked {
							in.Revoked(context.Background(), []assign.Task{{}})
						}
					}()
				}
				w.hung(w.config(opening(t, func() { <-held })), `task 0_0, node "slow"`, revoke, func() {
					select {
					case <-given:
					default:
						t.Error("it is being revoked still")
					}
					close(held)
				})
				<-given
			})
		})
	}
}

// What fills a global table runs before the group is joined, and then beside it.
func TestFillThatHangs(t *testing.T) {
	for name, later := range map[string]bool{"before the join": false, "while it follows": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "rows", "lines", "copy")
				held := make(chan struct{})
				plan := filled(t, func(v string) {
					if v == "never" {
						<-held
					}
				})
				w.fact("rows", "a", "quick")
				put := func(*Instance) { w.fact("rows", "b", "never") }
				if !later {
					put(nil)
					put = func(*Instance) {}
				}
				w.hung(w.config(plan), `task global, node "table", record rows[0]@1`, put, func() { close(held) })
			})
		})
	}
}

// hanging is a serde that does not return from decoding once it hangs.
type hanging struct {
	serde.Serde[string]
	hangs atomic.Bool
	held  chan struct{}
}

func (h *hanging) Decode(src []byte) (string, error) {
	if h.hangs.Load() {
		<-h.held
	}
	return h.Serde.Decode(src)
}

// A serde that hangs in a restore is found where the record is.
func TestRestoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "limits", "copy")
		w.compact("limits")
		values := &hanging{Serde: serde.String, held: make(chan struct{})}
		b := topology.New()
		b.Table(topology.NewTopic("limits", serde.String, values), store.KeyValue("limits", serde.String, values), topology.SourceAsChangelog())
		cfg := w.config(built(t, b))
		w.fact("limits", "a", "1")
		_, stop := w.start(cfg)
		time.Sleep(10 * time.Second)
		stop()
		values.hangs.Store(true)
		cfg.StateDir = t.TempDir()
		w.hung(cfg, `task 0_0, node "store limits", record limits[0]@0`, func(*Instance) {}, func() { close(values.held) })
	})
}

// A serde that hangs while a store that is on the disk is looked at is found with the store.
func TestLookThatHangs(t *testing.T) {
	for name, global := range map[string]bool{"of a task": false, "global": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "limits", "lines", "copy")
				values := &hanging{Serde: serde.String, held: make(chan struct{})}
				limits, kept := topology.NewTopic("limits", serde.String, serde.String), store.KeyValue("table", serde.String, values)
				b := topology.New()
				place, forms := `task 0_0, node "store table"`, engine.Namespace{Store: "table", Partition: math.MinInt32}
				if global {
					b.GlobalTable(limits, kept)
					b.From(copyIn).To(copyOut)
					place = `task global, node "table"`
				} else {
					b.From(limits).Table(kept)
				}
				cfg, disk := w.config(built(t, b)), memory.New()
				cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
				w.fact("limits", "a", "1")
				_, stop := w.start(cfg)
				time.Sleep(10 * time.Second)
				stop()
				if err := disk.Drop(forms); err != nil { // as if somebody had written who takes no note of forms
					t.Fatal(err)
				}
				values.hangs.Store(true)
				w.hung(cfg, place, func(*Instance) {}, func() { close(values.held) })
			})
		})
	}
}

// Code that is slow with each record it fills a table with is none that does not return,
// and a stall is over when that has gone on.
func TestFillThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "rows", "lines", "copy")
		cfg := w.config(filled(t, func(v string) {
			if v == "slow" {
				time.Sleep(9 * time.Second)
			} else {
				time.Sleep(30 * time.Second)
			}
		}))
		var log logged
		cfg.StallTimeout, cfg.Log = 10*time.Second, logTo(&log)
		for range 10 {
			w.fact("rows", "a", "slow")
		}
		in, stop := w.start(cfg)
		time.Sleep(2 * time.Minute)
		if log := log.String(); strings.Contains(log, "does not return") {
			t.Errorf("slow code is taken for a stall: %s", log)
		}
		w.fact("rows", "a", "slower")
		time.Sleep(25 * time.Second)
		if st := in.Status(); len(st.Stalled) != 1 {
			t.Error("no stall is seen")
		}
		time.Sleep(15 * time.Second)
		if st := in.Status(); len(st.Stalled) > 0 || !strings.Contains(log.String(), "has gone on") {
			t.Errorf("the stall is over, and status says %v", st.Stalled)
		}
		stop()
	})
}
