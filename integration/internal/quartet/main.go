// Command quartet runs four topologies as one service, for a test: a count over a repartition topic, sums by window, a
// join of a stream with a table, and a join of two streams. What it must put out is what package expect says.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
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
	log.Info("stopped")
}

func run(log *slog.Logger) error {
	application := flag.String("application", "", "also what the names of all topics begin with")
	instance := flag.String("instance", "", "")
	brokers := flag.String("brokers", "", "comma-separated")
	state := flag.String("state", "", "directory")
	session := flag.Duration("session", 0, "time-out of the session")
	atLeastOnce := flag.Bool("at-least-once", false, "")
	flag.Parse()

	top, err := quartet(*application, *atLeastOnce).Build()
	if err != nil {
		return err
	}
	cfg := streams.Config{
		Application: *application,
		Brokers:     strings.Split(*brokers, ","),
		State: streams.State{Dir: *state, FlushInterval: time.Second, Engine: func(dir string) (store.Engine, error) {
			return pebble.Open(dir, pebble.Options{Logger: log, CacheBytes: 8 << 20, MemTableBytes: 2 << 20})
		}},
		Membership: streams.Membership{InstanceID: *instance, SessionTimeout: *session},
		// A record waits for what was written before it, however late that is fetched.
		MaxTaskIdle: 2 * time.Minute,
		// Longer than anybody sleeps: it takes a fence to end the transactions of the dead.
		TransactionTimeout: 5 * time.Minute,
		MemoryBudget:       64 << 20,
		Logger:             log,
	}
	if *atLeastOnce {
		cfg.Guarantee = streams.AtLeastOnce
	}
	app, err := streams.New(top, cfg)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	var telling sync.WaitGroup
	defer telling.Wait()
	defer stop() // also where Run ends by itself
	telling.Go(func() { tellResources(ctx, log, *state) })
	return app.Run(ctx)
}

func quartet(prefix string, atLeastOnce bool) *topology.Builder {
	count := func(acc, _ int64) int64 { return acc + 1 }
	sum := func(acc, n int64) int64 { return acc + n }
	if atLeastOnce {
		count, sum = once, once
	}
	b := topology.New()
	events := b.From(texts(prefix + "-events"))
	events.
		KeyBy(topology.NewRepartition("regrouped", serde.String, serde.String), func(k, _ string) string { return "by " + k }).
		Aggregate(store.KeyValue("counts", serde.String, serde.Int64), func(acc int64, _, v string) int64 { return count(acc, number(v)) }).
		Stream().
		To(numbers(prefix + "-counts"))

	topology.Windowed(events.MapValues(number), window.Tumbling(windowSize).Grace(windowGrace)).
		Aggregate(store.Window("sums", serde.String, serde.Int64), func(acc int64, _ string, n int64) int64 { return sum(acc, n) }).
		Stream().
		Map(func(w window.Windowed[string], sum int64) (string, int64) { return windowName(w), sum }).
		To(numbers(prefix + "-sums"))

	rows := b.Table(texts(prefix+"-rows"), store.KeyValue("rows", serde.String, serde.String))
	b.From(texts(prefix+"-charges")).
		JoinTable(rows, func(_, charge, row string) string { return charge + " " + row }).
		To(texts(prefix + "-joined"))

	b.From(texts(prefix+"-lefts")).
		Join(b.From(texts(prefix+"-rights")), window.Within(pairsWithin), store.Join("pairs", serde.String, serde.String, serde.String),
			func(_, left, right string) string { return left + " " + right }).
		To(texts(prefix + "-pairs"))
	return b
}
