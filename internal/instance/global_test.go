package instance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// answered answers the records of "asks" with the rows of the global table "rows" that
// their values name.
func answered(t *testing.T) *task.Plan {
	t.Helper()
	b := topology.New()
	rows := b.GlobalTable(topology.NewTopic("rows", serde.String, serde.String), store.KeyValue("rows", serde.String, serde.String))
	b.From(topology.NewTopic("asks", serde.String, serde.String)).
		LeftJoinGlobal(rows,
			func(_, v string) topology.Opt[string] { return topology.Some(v) },
			func(_, v string, row topology.Opt[string]) string { return v + ":" + row.Or("none") }).
		To(topology.NewTopic("out", serde.String, serde.String))
	return built(t, b)
}

// fact writes a row of a topic; "nil" deletes it.
func (w *world) fact(topic, key, value string) {
	w.t.Helper()
	r := &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
	if value == "nil" {
		r.Value = nil
	}
	w.put(r)
}

// The table holds all partitions before the first record is processed, and is followed
// from then on. What is aborted is not in it.
func TestGlobalTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, "rows", "asks", "out")
		for _, key := range strings.Split("abcdefgh", "") {
			w.fact("rows", key, key+"1")
			w.fact("asks", "k", key)
		}
		w.fact("rows", "c", "nil")
		w.aborted("rows", "d", "wrong")
		_, stop := w.start(w.config(answered(t)))
		if got := values(w.read("out", 8)); got != "a:a1 b:b1 c:none d:d1 e:e1 f:f1 g:g1 h:h1 " {
			t.Errorf("filled: %q", got)
		}
		w.fact("rows", "a", "a2")
		w.fact("rows", "b", "nil")
		w.aborted("rows", "h", "wrong")
		time.Sleep(5 * time.Second)
		for _, key := range strings.Split("abh", "") {
			w.fact("asks", "k", key)
		}
		if got := values(w.read("out", 11)[8:]); got != "a:a2 b:none h:h1 " {
			t.Errorf("followed: %q", got)
		}
		stop()
	})
}

// aborted writes a record in a transaction that comes to nothing.
func (w *world) aborted(topic, key, value string) {
	w.t.Helper()
	cl := w.client(kgo.TransactionalID("other"))
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	if err := cl.EndTransaction(context.Background(), kgo.TryAbort); err != nil {
		w.t.Fatal(err)
	}
}

// A restart goes on from where local state ends, or from the beginning if there is
// none, or if it is too old, or the topic is another one.
func TestGlobalTableRestart(t *testing.T) {
	for name, away := range map[string]struct {
		do   func(w *world, cfg *Config)
		want string // of a row that is not written again, and of one that only local state has
	}{
		"local state":       {func(*world, *Config) {}, "c:5 x:local"},
		"no local state":    {func(_ *world, cfg *Config) { cfg.OpenEngine = nil }, "c:5 x:none"},
		"too old":           {func(*world, *Config) { time.Sleep(25 * time.Hour) }, "c:5 x:none"},
		"below the log":     {func(w *world, _ *Config) { w.cut("rows") }, "c:none x:none"},
		"another topic":     {func(w *world, _ *Config) { w.recreate("rows") }, "c:none x:none"},
		"a crash in a wipe": {func(_ *world, cfg *Config) { half(engineOf(cfg)) }, "c:5 x:none"},
		"a new partition":   {func(_ *world, cfg *Config) { forget(engineOf(cfg)) }, "c:5 x:none"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, "rows", "asks", "out")
				disk := memory.New()
				cfg := w.config(answered(t))
				cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
				w.fact("rows", "a", "1")
				w.fact("rows", "c", "5")
				w.fact("asks", "k", "a")
				_, stop := w.start(cfg)
				if got := values(w.read("out", 1)); got != "a:1 " {
					t.Fatalf("before: %q", got)
				}
				stop()
				local(t, disk, "x")
				away.do(w, &cfg)
				w.fact("rows", "a", "2")
				w.fact("rows", "b", "3")
				for _, key := range []string{"a", "b", "c", "x"} {
					w.fact("asks", "k", key)
				}
				_, stop = w.start(cfg)
				if got, want := values(w.read("out", 5)[1:]), "a:2 b:3 "+away.want+" "; got != want {
					t.Errorf("after: %q, want %q", got, want)
				}
				stop()
			})
		})
	}
}

// engineOf is the engine of a configuration.
func engineOf(cfg *Config) engine.Engine {
	e, err := cfg.OpenEngine("")
	if err != nil {
		panic(err)
	}
	return e
}

// local writes a row that the topic never had.
func local(t *testing.T, disk engine.Engine, key string) {
	t.Helper()
	var b engine.Batch
	b.Set(engine.Namespace{Store: "rows", Partition: -1}, []byte(key), append(make([]byte, 8), "local"...))
	if err := disk.Write(&b); err != nil {
		t.Fatal(err)
	}
}

// half is a wipe that was cut short: the rows are gone, the positions are not.
func half(e engine.Engine) {
	if err := e.Drop(engine.Namespace{Store: "rows", Partition: -1}); err != nil {
		panic(err)
	}
}

// forget loses the position of one partition.
func forget(e engine.Engine) {
	if err := e.Drop(engine.Namespace{Store: "rows", Partition: -2}); err != nil {
		panic(err)
	}
}

// cut deletes what there is of a topic, which has got on since.
func (w *world) cut(topic string) {
	w.t.Helper()
	w.fact(topic, "z", "1")
	w.fact(topic, "y", "1")
	cl := w.client()
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(context.Background(), topic)
	if err != nil {
		w.t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if err := w.c.DeleteRecords(topic, o.Partition, o.Offset); err != nil {
			w.t.Error(err)
		}
	})
}

// recreate makes a topic anew.
func (w *world) recreate(topic string) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	admin := kadm.NewClient(cl)
	if _, err := admin.DeleteTopics(context.Background(), topic); err != nil {
		w.t.Fatal(err)
	}
	if _, err := admin.CreateTopic(context.Background(), 2, -1, nil, topic); err != nil {
		w.t.Fatal(err)
	}
}

// A global table's topic must exist.
func TestGlobalTableOfMissingTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "asks", "out")
		if err := New(w.config(answered(t))).Run(t.Context()); err == nil || !strings.Contains(err.Error(), `global table "rows"`) {
			t.Errorf("err = %v", err)
		}
	})
}

// The two tables of a foreign-key join need not be partitioned alike. Who asks for what
// survives a restart.
func TestForeignJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, "left", "out")
		cl := w.client()
		if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 2, -1, nil, "right"); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		table := func(b *topology.Builder, name string) topology.Table[string, string] {
			return b.Table(topology.NewTopic(name, serde.String, serde.String), store.KeyValue(name, serde.String, serde.String))
		}
		b := topology.New()
		table(b, "left").LeftJoinForeign(table(b, "right"), topology.NewSubscription("j"),
			func(_, v string) topology.Opt[string] { return topology.Some(v) },
			func(k, v string, row topology.Opt[string]) string { return k + v + row.Or("?") }).
			Stream().
			SelectKey(func(topology.Record[string, string]) string { return "one partition" }).
			To(topology.NewTopic("out", serde.String, serde.String))
		cfg := w.config(built(t, b))
		_, stop := w.start(cfg)
		n := 0
		expect := func(want string) {
			t.Helper()
			n += strings.Count(want, " ")
			if got := values(w.read("out", n)[n-strings.Count(want, " "):]); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		w.fact("left", "1", "x")
		expect("1x? ")
		w.fact("right", "x", "7")
		expect("1x7 ")
		w.fact("left", "2", "x")
		expect("2x7 ")
		stop()
		cfg.StateDir = t.TempDir()
		_, stop = w.start(cfg)
		w.fact("left", "1", "y")
		expect("1y? ")
		w.fact("right", "x", "8")
		expect("2x8 ")
		stop()
	})
}

// What code makes of a topic counts each record once, whatever was aborted, over a restart
// with local state; without it, all of them again.
func TestGlobalStore(t *testing.T) {
	for name, keep := range map[string]bool{"local state": true, "no local state": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, "rows", "asks", "out")
				disk := memory.New()
				cfg := w.config(counted(t))
				cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
				for i := range 9 {
					w.fact("rows", strconv.Itoa(i), "x")
				}
				w.aborted("rows", "9", "x")
				w.fact("asks", "k", "x")
				_, stop := w.start(cfg)
				if got := values(w.read("out", 1)); got != "x:9 " {
					t.Errorf("filled: %q", got)
				}
				w.fact("rows", "10", "x")
				w.aborted("rows", "11", "x")
				w.fact("rows", "12", "y")
				time.Sleep(5 * time.Second)
				w.fact("asks", "k", "x")
				if got := values(w.read("out", 2)[1:]); got != "x:10 " {
					t.Errorf("followed: %q", got)
				}
				stop()
				if !keep {
					cfg.OpenEngine = nil
				}
				w.fact("rows", "13", "x")
				w.fact("asks", "k", "x")
				w.fact("asks", "k", "y")
				_, stop = w.start(cfg)
				if got := values(w.read("out", 4)[2:]); got != "x:11 y:1 " {
					t.Errorf("after a restart: %q", got)
				}
				stop()
			})
		})
	}
}

// counted answers the records of "asks" with how many records of "rows" have their values.
func counted(t *testing.T) *task.Plan {
	t.Helper()
	b := topology.New()
	rows := b.GlobalStore(topology.NewTopic("rows", serde.String, serde.String), store.KeyValue("rows", serde.String, serde.Int64),
		func(rows *store.View[string, int64], r topology.Record[string, string]) error {
			n, _, err := rows.Get(r.Value)
			if err != nil {
				return err
			}
			return rows.Put(r.Value, n+1)
		})
	b.From(topology.NewTopic("asks", serde.String, serde.String)).
		LeftJoinGlobal(rows,
			func(_, v string) topology.Opt[string] { return topology.Some(v) },
			func(_, v string, n topology.Opt[int64]) string { return fmt.Sprint(v, ":", n.Or(0)) }).
		To(topology.NewTopic("out", serde.String, serde.String))
	return built(t, b)
}

// Code that fails ends the process, before it takes a task or while it follows.
func TestGlobalStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "rows", "asks", "out")
		b := topology.New()
		b.GlobalStore(topology.NewTopic("rows", serde.String, serde.String), store.KeyValue("rows", serde.String, serde.String),
			func(*store.View[string, string], topology.Record[string, string]) error {
				return errors.New("not this one")
			})
		b.From(topology.NewTopic("asks", serde.String, serde.String)).To(topology.NewTopic("out", serde.String, serde.String))
		cfg := w.config(built(t, b))
		in := New(cfg)
		done := make(chan error, 1)
		go func() { done <- in.Run(context.Background()) }()
		time.Sleep(10 * time.Second)
		w.fact("rows", "a", "1")
		for _, err := range []error{<-done, w.end(cfg)} {
			if where := new(task.Error); !errors.As(err, &where) || where.Topic != "rows" || where.Node != "rows" {
				t.Errorf("ended with %v", err)
			}
		}
	})
}
