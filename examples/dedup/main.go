// Command dedup passes each event on once: an event whose id has been seen in the
// last hour is dropped. It shows the general verb, Process, with a store of its
// own and a timer.
package main

import (
	"context"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// Events are keyed by their id.
var (
	events = topology.NewTopic("events", serde.String, serde.Bytes)
	unique = topology.NewTopic("unique-events", serde.String, serde.Bytes)
	seen   = store.KeyValue("seen", serde.String, serde.Bool)
)

// memory is how long an id is remembered.
const memory = time.Hour

// dedup is opened once for each partition.
func dedup(ctx *topology.Context[string, []byte]) (topology.Handler[string, []byte], error) {
	ids := seen.Open(ctx)
	ctx.Every(memory/10, topology.StreamTime, func(now time.Time) error { return forget(ids, now) })
	return func(r topology.Record[string, []byte]) error {
		_, at, ok, err := ids.Load(r.Key)
		if err != nil || ok && r.Time.UnixMilli()-at < memory.Milliseconds() {
			return err
		}
		if err := ids.Put(r.Key, true); err != nil {
			return err
		}
		return ctx.Emit(r)
	}, nil
}

// forget removes the ids that are older than memory.
func forget(ids *store.View[string, bool], now time.Time) error {
	for e, err := range ids.All() {
		if err != nil {
			return err
		}
		if now.Sub(e.Time) < memory {
			continue
		}
		if err := ids.Delete(e.Key); err != nil {
			return err
		}
	}
	return nil
}

func build() *topology.Builder {
	b := topology.New()
	b.From(events).Process("dedup", dedup, seen).To(unique)
	return b
}

func run(ctx context.Context) error {
	t, err := build().Build()
	if err != nil {
		return err
	}
	app, err := streams.New(t, streams.Config{
		Application: "dedup",
		Brokers:     []string{"localhost:9092"},
		State:       streams.State{Dir: "data", Engine: openState},
	})
	if err != nil {
		return err
	}
	return app.Run(ctx)
}

func openState(dir string) (store.Engine, error) { return pebble.Open(dir, pebble.Options{}) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}
