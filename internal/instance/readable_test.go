package instance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// walked counts the steps of walks through stores.
type walked struct {
	durable
	steps *atomic.Int32
}

func (w walked) Range(ns engine.Namespace, lo, hi []byte, reverse bool) (engine.Iterator, error) {
	it, err := w.durable.Range(ns, lo, hi, reverse)
	return walk{it, w.steps}, err
}

type walk struct {
	engine.Iterator
	steps *atomic.Int32
}

func (w walk) Next() bool {
	w.steps.Add(1)
	return w.Iterator.Next()
}

// opaque is a serde whose bytes only decoding tells anything of.
type opaque struct{ serde.Serde[[]byte] }

// One value of a thousand, in the middle of its store, is of a version that the service
// does not know. It does not start: not on the disk that has the value, nor on one that is
// restored. Who knows the version starts without a walk through the store.
func TestOneUnreadableValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "rows")
		plan := func(s serde.Serde[string]) *task.Plan {
			b := topology.New()
			b.From(topology.NewTopic("rows", serde.Bytes, serde.String)).Table(store.KeyValue("rows", serde.Serde[[]byte](opaque{serde.Bytes}), s))
			return built(t, b)
		}
		up := func(v string) (string, error) { return v, nil }
		first := plan(serde.Versioned(1, serde.String))
		second := plan(serde.Versioned(2, serde.String, serde.Migrate(1, serde.String, up)))
		third := plan(serde.Versioned(3, serde.String, serde.Migrate(2, serde.String, up)))
		steps := &atomic.Int32{}
		disk := walked{durable{memory.New()}, steps}
		dir := t.TempDir()
		kept := func(p *task.Plan) Config {
			cfg := w.config(p)
			cfg.StateDir = dir
			cfg.OpenEngine = func(string) (engine.Engine, error) { return disk, nil }
			return cfg
		}
		run := func(cfg Config, from, to int) {
			_, stop := w.start(cfg)
			cl := w.client()
			for i := from; i < to; i++ {
				if i != 500 || to == 501 {
					cl.Produce(context.Background(), &kgo.Record{Topic: "rows", Key: fmt.Appendf(nil, "k%03d", i), Value: []byte("v")}, nil)
				}
			}
			if err := cl.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			cl.Close()
			time.Sleep(30 * time.Second)
			stop()
		}
		run(kept(first), 500, 501)
		run(kept(first), 0, 1000)
		run(kept(second), 0, 1000)
		steps.Store(0)
		run(kept(second), 0, 0)
		if n := steps.Load(); n > 100 {
			t.Errorf("a start that finds nothing wrong looked at %d entries", n)
		}
		lost := w.config(third)
		lost.StateDir = t.TempDir()
		for name, cfg := range map[string]Config{"kept": kept(third), "restored": lost} {
			err := w.end(cfg)
			if !errors.Is(err, serde.ErrUnreadable) || !strings.HasPrefix(err.Error(), `task 0_0, node "store rows": value: `) || !strings.Contains(err.Error(), "it is version 1, and known are [2 3]") {
				t.Errorf("%s: %v", name, err)
			}
		}
		run(kept(second), 500, 501)
		lost.StateDir = t.TempDir()
		run(lost, 0, 0) // the changelog has the older value still, and a newer one for its key
		run(kept(third), 0, 0)
	})
}
