// Command joiner joins a stream of records with a table of rows, both read from topics, and writes what met as
// "record row". It is a service for a test.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if err := run(log); err != nil {
		log.Error("ended", "err", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	application := flag.String("application", "", "")
	brokers := flag.String("brokers", "", "comma-separated")
	state := flag.String("state", "", "directory")
	records := flag.String("records", "", "topic")
	rows := flag.String("rows", "", "topic")
	output := flag.String("output", "", "topic")
	flag.Parse()

	top, err := join(*records, *rows, *output).Build()
	if err != nil {
		return err
	}
	app, err := streams.New(top, streams.Config{
		Application: *application,
		Brokers:     strings.Split(*brokers, ","),
		State: streams.State{Dir: *state, Engine: func(dir string) (store.Engine, error) {
			return pebble.Open(dir, pebble.Options{Logger: log})
		}},
		// A record waits for the row that was written before it, however late that is fetched.
		MaxTaskIdle: time.Minute,
		Logger:      log,
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return app.Run(ctx)
}

func join(records, rows, output string) *topology.Builder {
	b := topology.New()
	table := b.Table(topology.NewTopic(rows, serde.String, serde.String), store.KeyValue("rows", serde.String, serde.String))
	b.From(topology.NewTopic(records, serde.String, serde.String)).
		JoinTable(table, func(_, record, row string) string { return record + " " + row }).
		To(topology.NewTopic(output, serde.String, serde.String))
	return b
}
