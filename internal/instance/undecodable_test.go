package instance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// digits is a serde of texts that are numbers.
type digits struct{}

func (digits) Append(dst []byte, v string) ([]byte, error) { return serde.String.Append(dst, v) }

func (digits) Decode(src []byte) (string, error) {
	if strings.Trim(string(src), "0123456789") != "" {
		return "", fmt.Errorf("%s is no number", src)
	}
	return string(src), nil
}

// numbers answers asks from a global table of numbers.
func numbers(t *testing.T) *task.Plan {
	t.Helper()
	b := topology.New()
	rows := b.GlobalTable(topology.NewTopic("rows", serde.String, serde.Serde[string](digits{})), store.KeyValue("rows", serde.String, serde.Serde[string](digits{})))
	b.From(topology.NewTopic("asks", serde.String, serde.String)).
		LeftJoinGlobal(rows,
			func(_, v string) topology.Opt[string] { return topology.Some(v) },
			func(_, v string, row topology.Opt[string]) string { return v + ":" + row.Or("none") }).
		To(topology.NewTopic("out", serde.String, serde.String))
	return built(t, b)
}

// unread reports whether err is that of a record which a store lacks.
func unread(err error, topic string, offset int64, store string) bool {
	where := new(task.Error)
	return errors.Is(err, task.ErrDecode) && errors.As(err, &where) && where.Topic == topic && where.Offset == offset && where.Node == store && strings.Contains(err.Error(), "word is no number")
}

// A row that cannot be decoded stops the process that follows the topic, and the one that
// is started in its place, before it takes a task; until the row is replaced.
func TestUndecodableRowStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "rows", "asks", "out")
		disk := memory.New()
		cfg := w.config(numbers(t))
		cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
		in := New(cfg)
		done := make(chan error, 1)
		go func() { done <- in.Run(context.Background()) }()
		w.fact("rows", "a", "1")
		time.Sleep(10 * time.Second)
		w.fact("rows", "b", "word")
		if err := <-done; !unread(err, "rows", 1, "rows") {
			t.Errorf("while it follows: %v", err)
		}
		if err := w.end(cfg); !unread(err, "rows", 1, "rows") {
			t.Errorf("on what is left of it: %v", err)
		}
		lost := cfg
		lost.OpenEngine = nil
		if err := w.end(lost); !unread(err, "rows", 1, "rows") {
			t.Errorf("on nothing: %v", err)
		}
		w.fact("rows", "b", "2")
		_, stop := w.start(cfg)
		w.fact("asks", "k", "b")
		if got := values(w.read("out", 1)); got != "b:2 " {
			t.Errorf("replaced: %q", got)
		}
		stop()
	})
}

// What the policy passes over is counted by each process that fills the table, and is not
// written to the dead-letter topic by any.
func TestUndecodableRowIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "rows", "asks", "out", "dead")
		cfg := w.config(numbers(t))
		cfg.Policies.Decode, cfg.Policies.DeadLetterTopic = task.DeadLetter, "dead"
		w.fact("rows", "a", "1")
		w.fact("rows", "a", "word")
		w.fact("asks", "k", "a")
		for i := range 2 {
			in, stop := w.start(cfg)
			w.read("out", 1)
			w.fact("rows", "b", "word")
			time.Sleep(10 * time.Second)
			if got := in.Status().Dropped["undecodable"]; got != int64(2+i) {
				t.Errorf("%d are counted", got)
			}
			stop()
		}
		if got := values(w.read("out", 1)); got != "a:none " {
			t.Errorf("got %q", got)
		}
		if got := w.read("dead", 0); len(got) > 0 {
			t.Errorf("%d dead letters", len(got))
		}
	})
}

// A table is not restored from its source topic past a record that this build cannot
// decode, with or without local state, unless the row is replaced by then.
func TestUndecodableSourceAsChangelog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "limits")
		w.compact("limits")
		plan := func(s serde.Serde[string]) *task.Plan {
			b := topology.New()
			b.Table(topology.NewTopic("limits", serde.String, s), store.KeyValue("limits", serde.String, s), topology.SourceAsChangelog())
			return built(t, b)
		}
		texts, numbers := w.config(plan(serde.String)), w.config(plan(digits{}))
		run := func(cfg Config, key, value string) {
			_, stop := w.start(cfg)
			w.fact("limits", key, value)
			time.Sleep(10 * time.Second)
			stop()
		}
		run(texts, "a", "1")
		run(texts, "b", "word")
		run(texts, "c", "3")
		for range 2 {
			if err := w.end(numbers); !unread(err, "limits", 1, "store limits") {
				t.Errorf("restored: %v", err)
			}
		}
		run(texts, "b", "2")
		run(numbers, "d", "4")
	})
}
