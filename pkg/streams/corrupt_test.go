package streams_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/embedded"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// Every file that Pebble has written is damaged between two runs. Whatever it makes of
// that, the counts go on where they were.
func TestCorruptStateIsRebuilt(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	broker, err := embedded.Start(embedded.Options{Topics: map[string]int32{"words": 1, "counts": 1}, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...), kgo.ConsumeTopics("counts"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	dir := t.TempDir()
	run := func(upTo int64) {
		t.Helper()
		app, err := streams.New(counting(t), streams.Config{
			Application: "counting", Brokers: broker.Addrs(), Logger: log, Workers: 1,
			State: streams.State{Dir: dir, FlushBytes: 1, Engine: func(dir string) (store.Engine, error) {
				return pebble.Open(dir, pebble.Options{MemTableBytes: 8 << 10, Logger: log})
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		for i := range 2000 {
			cl.Produce(ctx, &kgo.Record{Topic: "words", Key: fmt.Append(nil, "word", i%100), Value: []byte("x")}, nil)
		}
		last := map[string]int64{}
		for n := 0; n < 2000; {
			fetches := cl.PollFetches(ctx)
			if ctx.Err() != nil {
				t.Fatalf("%d counts, %v", n, <-ended)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				last[string(r.Key)], _ = serde.Int64.Decode(r.Value)
				n++
			})
		}
		for i := range 100 {
			if got := last[fmt.Sprint("word", i)]; got != upTo {
				t.Errorf("word%d is counted %d times, want %d", i, got, upTo)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	run(20)
	damage(t, filepath.Join(dir, "engine"))
	run(40)
}

func counting(t *testing.T) *topology.Topology {
	t.Helper()
	b := topology.New()
	b.From(topology.NewTopic("words", serde.String, serde.String)).
		Count(store.KeyValue("counts", serde.String, serde.Int64)).
		Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return top
}

// damage turns bytes over in the middle of every table.
func damage(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, name := range tables {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range min(len(text)/2, 64) {
			text[i] ^= 0xff
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
