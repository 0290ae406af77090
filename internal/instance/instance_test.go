package instance

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// A world is a cluster under a virtual clock. It lives in a synctest bubble.
type world struct {
	t   *testing.T
	net kfake.VirtualNetwork
	c   *kfake.Cluster
}

func newWorld(t *testing.T, partitions int32, topics ...string) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	w.c, err = kfake.NewCluster(kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.ListenFn(w.net.Listen),
		kfake.SeedTopics(partitions, topics...), kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "1000000000000"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.c.Close)
	return w
}

func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	cl, err := kgo.NewClient(append(append(opts, w.dial()...), kgo.SeedBrokers("localhost:9092"))...)
	if err != nil {
		w.t.Fatal(err)
	}
	return cl
}

// dial is how clients get to the brokers. They do not push metrics: each client's first push makes a compressor of a
// megabyte, and every one of them takes the race detector milliseconds.
func (w *world) dial() []kgo.Opt {
	return []kgo.Opt{kgo.Dialer(w.net.DialContext), kgo.DisableClientMetrics()}
}

func (w *world) config(plan *task.Plan) Config {
	return Config{
		App: "app", Plan: plan, Brokers: []string{"localhost:9092"}, ClientOptions: w.dial(),
		StateDir: w.t.TempDir(), FlushInterval: 10 * time.Second, FlushBytes: 64 << 20,
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 30 * time.Second,
		ReplicationFactor: -1, CreateTopics: true,
		ExactlyOnce: true, CommitInterval: 100 * time.Millisecond, Workers: 2, MemoryBudget: 64 << 20, MaxRecord: 1 << 20,
		TransactionTimeout: 10 * time.Second, ShutdownTimeout: 30 * time.Second,
		Log: slog.New(slog.NewTextHandler(testWriter{w.t}, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

// produce writes n lines, each a number and the words "a" and "b".
func (w *world) produce(topic string, from, n int) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	for i := from; i < from+n; i++ {
		cl.Produce(context.Background(), &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, "a b w%d", i%7)}, func(_ *kgo.Record, err error) {
			if err != nil {
				w.t.Errorf("line %d: %v", i, err)
			}
		})
	}
	if err := cl.Flush(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// read returns the committed records of a topic, once there have been n and no more
// come for a while.
func (w *world) read(topic string, n int) (rs []*kgo.Record) {
	w.t.Helper()
	cl := w.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	for {
		patience := 10 * time.Second
		if len(rs) < n {
			patience = 5 * time.Minute
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		fs := cl.PollFetches(ctx)
		cancel()
		if fs.NumRecords() == 0 && ctx.Err() != nil {
			return rs
		}
		rs = append(rs, fs.Records()...)
	}
}

// checkCounts reads counts and finds any that is lost or repeated: each key's
// updates must rise by one, and end as wanted.
func (w *world) checkCounts(topic string, lines int) {
	w.t.Helper()
	last := map[string]int64{}
	for _, r := range w.read(topic, 3*lines) {
		n, err := serde.Int64.Decode(r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		if n != last[string(r.Key)]+1 {
			w.t.Errorf("%q went from %d to %d", r.Key, last[string(r.Key)], n)
		}
		last[string(r.Key)] = n
	}
	if last["a"] != int64(lines) || last["b"] != int64(lines) {
		w.t.Errorf("after %d lines: %v", lines, last)
	}
}

func wordCount(t *testing.T) *task.Plan {
	t.Helper()
	b := topology.New()
	b.From(topology.NewTopic("lines", serde.String, serde.String)).
		FlatMapValues(strings.Fields).
		KeyBy(topology.NewRepartition("words", serde.String, serde.String), func(_, w string) string { return w }).
		Count(store.KeyValue("counts", serde.String, serde.Int64)).
		Stream().
		To(topology.NewTopic("counts", serde.String, serde.Int64))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return top.Plan()
}

// start runs an instance until the returned function is called, which stops it
// cleanly and checks that it does stop.
func (w *world) start(cfg Config) (in *Instance, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	in = New(cfg)
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	return in, func() {
		w.t.Helper()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run: %v", err)
		}
	}
}

func TestWordCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, "lines", "counts")
		w.produce("lines", 0, 50)
		_, stop := w.start(w.config(wordCount(t)))
		w.checkCounts("counts", 50)
		stop()
	})
}

// A table that is restored from its source topic must not be ahead of the stream
// that it is joined with: it stops where the task had read the topic to.
func TestSourceAsChangelogStopsAtCommittedOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "limits", "asks", "out")
		w.compact("limits")
		limits := topology.NewTopic("limits", serde.String, serde.String)
		b := topology.New()
		table := b.Table(limits, store.KeyValue("limits", serde.String, serde.String), topology.SourceAsChangelog())
		b.From(topology.NewTopic("asks", serde.String, serde.String)).
			LeftJoinTable(table, func(_, v string, row topology.Opt[string]) string { return v + row.Or("") }).
			To(topology.NewTopic("out", serde.String, serde.String))
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		cfg := w.config(top.Plan())
		at := func(topic, value string, second int) {
			w.put(&kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(value), Timestamp: time.Unix(int64(second), 0)})
		}
		at("limits", "1", 1)
		at("asks", "a", 2)
		_, stop := w.start(cfg)
		if got := values(w.read("out", 1)); got != "a1 " {
			t.Fatalf("before the restart: %q", got)
		}
		stop()
		at("asks", "b", 3)   // older than the row below: it must not see it,
		at("limits", "2", 4) // though it is there when the table is restored
		cfg.StateDir = t.TempDir()
		_, stop = w.start(cfg)
		if got := values(w.read("out", 2)); got != "a1 b1 " {
			t.Errorf("after the restart: %q", got)
		}
		stop()
	})
}

func (w *world) put(rs ...*kgo.Record) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	if err := cl.ProduceSync(context.Background(), rs...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) compact(topic string) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	value := "compact"
	res, err := kadm.NewClient(cl).AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Name: "cleanup.policy", Value: &value}}, topic)
	if err != nil || res[0].Err != nil {
		w.t.Fatal(err, res)
	}
}

func values(rs []*kgo.Record) (out string) {
	for _, r := range rs {
		out += string(r.Value) + " "
	}
	return out
}

// A record that was passed over has left nothing in the table, but it is in the topic:
// a restored table would have its row.
func TestSourceAsChangelogNeedsRecordsThatCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "limits")
		w.compact("limits")
		b := topology.New()
		b.Table(topology.NewTopic("limits", serde.String, serde.String), store.KeyValue("limits", serde.String, serde.String), topology.SourceAsChangelog())
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		cfg := w.config(top.Plan())
		cfg.Policies.Process = task.Skip
		if err := New(cfg).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "give the table a changelog of its own") {
			t.Errorf("err = %v", err)
		}
	})
}
