package instance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// change writes committed changes to the changelog, as another process would: a
// count, or a tombstone for a negative one.
func (w *world) change(key string, n int64) {
	w.t.Helper()
	r := &kgo.Record{Topic: changelogTopic, Key: []byte(key), Value: []byte{7: byte(n)}}
	if n < 0 {
		r.Value = nil
	}
	cl := w.client()
	defer cl.Close()
	if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// Local state is used only if it is of this changelog, and so young that it has
// seen all deletions.
func TestLocalStateIsDistrusted(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, w *world){
		"another changelog": func(t *testing.T, w *world) {
			if err := w.c.DeleteTopic(changelogTopic); err != nil {
				t.Fatal(err)
			}
			if err := w.c.CreateTopic(changelogTopic, 1, nil); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				w.change("y", 1)
			}
		},
		"a forgotten deletion": func(_ *testing.T, w *world) {
			w.change("x", -1)
			w.change("y", 1)
			time.Sleep(25 * time.Hour)
			w.c.Compact()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "words", "counts")
				cfg, _ := w.wired("a", countKeys(t))
				disk := &atomicOnly{memory.New(), t}
				cfg.OpenEngine = func(string) (engine.Engine, error) { return disk, nil }
				w.putKeys("words", "first", "x", "x")
				w.runs(cfg, "first=1", "x=1", "x=2")
				change(t, w)
				w.putKeys("words", "x", "y")
				w.runs(cfg, "first=1", "x=1", "x=2", "x=1", "y=2")
			})
		})
	}
}

// An atomicOnly engine outlives the instance that opened it, and takes state only
// together with the position that it is true for.
type atomicOnly struct {
	engine.Engine
	t *testing.T
}

func (e *atomicOnly) Write(b *engine.Batch) error {
	for _, op := range b.Ops {
		if _, ok := b.Positions[op.NS]; !ok && op.NS.Partition >= 0 { // the others say how entries are kept
			e.t.Errorf("%q is written without a position", op.Key)
		}
	}
	return e.Engine.Write(b)
}

func (*atomicOnly) Close() error { return nil }

// A second process of the same identity takes over from the first one, which ends.
func TestTwin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, _ := w.wired("a", countKeys(t))
		first, ended := New(cfg), make(chan error, 1)
		go func() { ended <- first.Run(context.Background()) }()
		w.putKeys("words", "x")
		w.expectCounts("x=1")
		cfg, _ = w.wired("a", countKeys(t)) // in another directory
		_, stop := w.start(cfg)
		for range 20 {
			w.putKeys("words", "x")
			time.Sleep(100 * time.Millisecond)
		}
		var want []string
		for n := range 21 {
			want = append(want, fmt.Sprint("x=", n+1))
		}
		w.expectCounts(want...)
		select {
		case err := <-ended:
			t.Log(err)
		case <-time.After(time.Minute): // what it asked the group last may have to time out
			t.Error("the first process goes on")
			first.fail(errCrash)
			<-ended
		}
		stop()
	})
}

// A record that cannot go on to the rest of the topology is not passed over.
func TestRepartitionIsNeverSkipped(t *testing.T) {
	t.Parallel()
	in, out := topology.NewTopic("in", serde.String, serde.String), topology.NewTopic("out", serde.String, serde.String)
	b := topology.New()
	b.From(in).Repartition(topology.NewRepartition("by-key", serde.String, unwritable{serde.String})).To(out)
	var failed error
	d := topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Skip, ""), topologytest.OnError(func(err error) { failed = err }))
	d.Send(in, "k", "v")
	if !errors.Is(failed, task.ErrUnskippable) {
		t.Errorf("err = %v", failed)
	}
}

// An unwritable serde reads only.
type unwritable struct{ serde.Serde[string] }

func (unwritable) Append(dst []byte, _ string) ([]byte, error) { return dst, errors.ErrUnsupported }
