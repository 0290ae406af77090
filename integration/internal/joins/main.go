// Command joins joins two streams, a table with another by foreign keys, and a stream with a global table. It is a
// service for a test.
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
	"github.com/leatstream/leat/pkg/window"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if err := run(log); err != nil {
		log.Error("ended", "err", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	application := flag.String("application", "", "it begins the names of all topics, too")
	brokers := flag.String("brokers", "", "comma-separated")
	state := flag.String("state", "", "directory")
	flag.Parse()

	top, err := joins(*application).Build()
	if err != nil {
		return err
	}
	app, err := streams.New(top, streams.Config{
		Application: *application,
		Brokers:     strings.Split(*brokers, ","),
		State: streams.State{Dir: *state, Engine: func(dir string) (store.Engine, error) {
			return pebble.Open(dir, pebble.Options{Logger: log})
		}},
		Logger: log,
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return app.Run(ctx)
}

func joins(app string) *topology.Builder {
	topic := func(name string) topology.Topic[string, string] {
		return topology.NewTopic(app+"-"+name, serde.String, serde.String)
	}
	rows := func(name string) store.KV[string, string] { return store.KeyValue(name, serde.String, serde.String) }
	b := topology.New()
	views := b.From(topic("views"))
	views.Join(b.From(topic("clicks")),
		window.Within(time.Millisecond).Grace(time.Hour),
		store.Join("pairs", serde.String, serde.String, serde.String),
		func(_, view, click string) string { return view + " " + click }).
		To(topic("pairs"))
	views.JoinGlobal(b.GlobalTable(topic("names"), rows("names")),
		func(key, _ string) topology.Opt[string] { return topology.Some(key) },
		func(_, view, name string) string { return view + " " + name }).
		To(topic("named"))
	b.Table(topic("orders"), rows("orders")).
		JoinForeign(b.Table(topic("customers"), rows("customers")), topology.NewSubscription("bills"),
			func(_, order string) topology.Opt[string] { return topology.Some(order) },
			func(_, order, customer string) string { return order + " " + customer }).
		Stream().To(topic("bills"))
	return b
}
