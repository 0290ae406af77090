package instance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// A topology that changes between two starts goes on if what it keeps is what it was,
// and is refused with the difference if a store's name means something else now.
func TestTopologyChanges(t *testing.T) {
	lines := topology.NewTopic("lines", serde.String, serde.String)
	first := func(b *topology.Builder) {
		b.From(lines).Count(store.KeyValue("counts", serde.String, serde.Int64)).
			Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
	}
	for name, c := range map[string]struct {
		then func(b *topology.Builder)
		says []string // of the log, or of the error
		err  error
	}{
		"the same": {then: first},
		"a node that keeps nothing": {then: func(b *topology.Builder) {
			b.From(lines).Filter(func(_, v string) bool { return v != "" }).Count(store.KeyValue("counts", serde.String, serde.Int64)).
				Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
		}},
		"another store": {then: func(b *topology.Builder) {
			b.From(lines).Count(store.KeyValue("others", serde.String, serde.Int64)).
				Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
		}, says: []string{"has changed", "- sub-topology 0 keeps counts as plain with a changelog", "+ sub-topology 0 keeps others as plain with a changelog"}},
		"a store that keeps windows": {then: func(b *topology.Builder) {
			topology.Windowed(b.From(lines), window.Tumbling(time.Minute)).Count(store.Window("counts", serde.String, serde.Int64)).
				Stream()
		}, says: []string{`store "counts"`, "- sub-topology 0 keeps counts as plain", "+ sub-topology 0 keeps counts as segments"}, err: ErrTopologyChanged},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "lines", "counts")
				plan := func(define func(*topology.Builder)) *task.Plan {
					b := topology.New()
					define(b)
					return built(t, b)
				}
				cfg := w.config(plan(first))
				_, stop := w.start(cfg)
				time.Sleep(20 * time.Second)
				stop()
				cfg.Plan = plan(c.then)
				var log logged
				cfg.Log = logTo(&log)
				if c.err != nil {
					err := w.end(cfg)
					for _, want := range c.says {
						if !errors.Is(err, c.err) || !strings.Contains(err.Error(), want) {
							t.Errorf("run: %v; want %s", err, want)
						}
					}
					return
				}
				_, stop = w.start(cfg)
				time.Sleep(20 * time.Second)
				stop()
				for _, want := range c.says {
					if !strings.Contains(log.String(), want) {
						t.Errorf("the log does not say %q: %s", want, log.String())
					}
				}
				if len(c.says) == 0 && strings.Contains(log.String(), "has changed") {
					t.Errorf("the log says %s", log.String())
				}
			})
		})
	}
}

// A process whose topology is not the one that the group runs is told the difference, although it has no state of its own
// to compare with.
func TestTopologyOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "counts")
		counting := func(name string) *task.Plan {
			b := topology.New()
			b.From(topology.NewTopic("lines", serde.String, serde.String)).Count(store.KeyValue(name, serde.String, serde.Int64)).
				Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
			return built(t, b)
		}
		_, stop := w.start(w.config(counting("counts")))
		time.Sleep(20 * time.Second)
		var log logged
		cfg := w.config(counting("others"))
		cfg.Log = logTo(&log)
		_, stopOther := w.start(cfg)
		time.Sleep(20 * time.Second)
		stopOther()
		stop()
		for _, want := range []string{"others run another topology", "- sub-topology 0 keeps counts as plain", "+ sub-topology 0 keeps others as plain"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q: %s", want, log.String())
			}
		}
	})
}

// Without the state directory of the last start the topics tell what they can: that there was something else, and that a
// store's changelog is not of the kind that is needed now.
func TestTopologyFromTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "counts")
		lines := topology.NewTopic("lines", serde.String, serde.String)
		b := topology.New()
		b.From(lines).Count(store.KeyValue("counts", serde.String, serde.Int64))
		_, stop := w.start(w.config(built(t, b)))
		time.Sleep(20 * time.Second)
		stop()

		b = topology.New()
		topology.Windowed(b.From(lines), window.Tumbling(time.Minute)).Count(store.Window("counts", serde.String, serde.Int64))
		err := w.end(w.config(built(t, b)))
		if !errors.Is(err, ErrTopologyChanged) || !strings.Contains(err.Error(), `"app-counts-changelog" has cleanup.policy=compact`) {
			t.Errorf("windows where rows were: %v", err)
		}

		b = topology.New()
		b.From(lines).Count(store.KeyValue("others", serde.String, serde.Int64))
		var log logged
		cfg := w.config(built(t, b))
		cfg.Log = logTo(&log)
		_, stop = w.start(cfg)
		time.Sleep(20 * time.Second)
		stop()
		if !strings.Contains(log.String(), "no use for") || !strings.Contains(log.String(), "app-counts-changelog") {
			t.Errorf("the log says %s", log.String())
		}
	})
}

// reset does to the group and to topics what a reset from another machine does.
func (w *world) reset(topics ...string) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if done, err := adm.DeleteTopics(context.Background(), topics...); err != nil || done.Error() != nil {
		w.t.Fatal(err, done.Error())
	}
	if done, err := adm.DeleteGroups(context.Background(), "app"); err != nil || done.Error() != nil {
		w.t.Fatal(err, done.Error())
	}
}

// What the state directory says of the last start counts for as long as its topics are
// those of then: a reset from another machine leaves the file and makes the topics new.
func TestTopologyAfterReset(t *testing.T) {
	lines := topology.NewTopic("lines", serde.String, serde.String)
	counts, others := store.KeyValue("counts", serde.String, serde.Int64), store.KeyValue("others", serde.String, serde.Int64)
	windows := func(b *topology.Builder) {
		topology.Windowed(b.From(lines), window.Tumbling(time.Minute)).Count(store.Window("counts", serde.String, serde.Int64))
	}
	const ofCounts, ofOthers = "app-counts-changelog", "app-others-changelog"
	for name, c := range map[string]struct {
		then    func(b *topology.Builder) // beside others
		forget  []string
		older   bool // the file has no topics
		refused bool
	}{
		"nothing happened":                      {then: windows, refused: true},
		"all topics are new":                    {then: windows, forget: []string{ofCounts, ofOthers}},
		"all, and the file does not know those": {then: windows, forget: []string{ofCounts, ofOthers}, older: true, refused: true},
		"only another store's is":               {then: windows, forget: []string{ofOthers}, refused: true},
		"a changelog is lost":                   {then: func(b *topology.Builder) { b.From(lines).Count(counts.Unlogged()) }, refused: true},
		"one is lost after a reset":             {then: func(b *topology.Builder) { b.From(lines).Count(counts.Unlogged()) }, forget: []string{ofOthers}},
		"nothing, and an older file":            {then: func(b *topology.Builder) { b.From(lines).Count(counts) }, older: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "lines")
				plan := func(define func(*topology.Builder)) *task.Plan {
					b := topology.New()
					define(b)
					b.From(lines).Count(others)
					return built(t, b)
				}
				cfg := w.config(plan(func(b *topology.Builder) { b.From(lines).Count(counts) }))
				disk := memory.New()
				cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
				w.produce("lines", 0, 5)
				_, stop := w.start(cfg)
				time.Sleep(20 * time.Second)
				stop()
				file := filepath.Join(cfg.StateDir, shapeFile)
				if c.older {
					text := shapeFormat + "\n" + strings.Join(cfg.Plan.Shape, "\n") + "\n"
					if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if len(c.forget) > 0 {
					w.reset(c.forget...)
				}
				if cfg.Plan = plan(c.then); c.refused {
					if err := w.end(cfg); !errors.Is(err, ErrTopologyChanged) || !strings.Contains(err.Error(), "delete "+file) {
						t.Errorf("it ended with %v", err)
					}
					return
				}
				in, stop := w.start(cfg)
				time.Sleep(20 * time.Second)
				stop()
				want := in.shapeText()
				if text, err := os.ReadFile(file); err != nil || string(text) != want || !strings.Contains(want, ofOthers) {
					t.Errorf("the file holds %q, %v", text, err)
				}
			})
		})
	}
}
