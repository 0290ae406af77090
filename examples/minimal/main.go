// Command minimal is a whole service: it counts the words of a topic's lines,
// exactly once, with its state on disk. Run it against a Kafka at localhost:9092
// that has the topics text-lines and word-counts.
package main

import (
	"context"
	"log"
	"os/signal"
	"strings"
	"syscall"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

var (
	lines  = topology.NewTopic("text-lines", serde.Bytes, serde.String)
	output = topology.NewTopic("word-counts", serde.String, serde.Int64)
	words  = topology.NewRepartition("words", serde.String, serde.String)
	counts = store.KeyValue("counts", serde.String, serde.Int64)
)

func wordcount() *topology.Builder {
	b := topology.New()
	b.From(lines).
		FlatMapValues(strings.Fields).
		KeyBy(words, func(_ []byte, word string) string { return word }).
		Count(counts).
		Stream().
		To(output)
	return b
}

func run(ctx context.Context) error {
	t, err := wordcount().Build()
	if err != nil {
		return err
	}
	app, err := streams.New(t, streams.Config{
		Application: "minimal",
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
