// Command schemas adds up the payments of each account. Payments are Avro with their
// schemas in a registry, so that other services may write them with an older or newer
// schema. The sums are the service's own state: their second form reads what its first
// version has stored.
//
// It needs Kafka at localhost:9092, with the topics payments, totals and
// payments-rejected, and a registry at localhost:8081. Nothing has to be registered
// before it starts: it reads payments only, and whoever writes them names their schema.
package main

import (
	"context"
	_ "embed" // the schema
	"log"
	"os/signal"
	"syscall"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
	"github.com/leatstream/leat/pkg/serde/registry"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

//go:embed payment.avsc
var paymentSchema string

// Payment is what the schema describes, in Go.
type Payment struct {
	Account  string `avro:"account"`
	Cents    int64  `avro:"cents"`
	Currency string `avro:"currency"`
}

// Sums are an account's, by currency. The service's first version knew euros only, and
// stored a number.
type Sums struct {
	Cents map[string]int64 `json:"cents"`
}

var sums = serde.Versioned(1, serde.JSON[Sums](serde.Strict),
	serde.MigrateBare(serde.JSON[int64](), func(euros int64) (Sums, error) {
		return Sums{map[string]int64{"EUR": euros}}, nil
	}))

func payments(schemas *registry.Client) topology.Topic[string, Payment] {
	return topology.NewTopic("payments", serde.String, schemas.Serde(avro.Of[Payment](paymentSchema), registry.Options{}))
}

var (
	totals = topology.NewTopic("totals", serde.String, serde.JSON[Sums]())
	kept   = store.KeyValue("sums", serde.String, sums)
)

func build(schemas *registry.Client) *topology.Builder {
	b := topology.New()
	b.From(payments(schemas)).Aggregate(kept, add).Stream().To(totals)
	return b
}

// add returns new sums: those that it is given may be in use still.
func add(acc Sums, _ string, p Payment) Sums {
	next := Sums{map[string]int64{p.Currency: p.Cents}}
	for currency, cents := range acc.Cents {
		next.Cents[currency] += cents
	}
	return next
}

func run(ctx context.Context) error {
	schemas, err := registry.New(registry.Config{URLs: []string{"http://localhost:8081"}})
	if err != nil {
		return err
	}
	defer schemas.Close()
	t, err := build(schemas).Build()
	if err != nil {
		return err
	}
	app, err := streams.New(t, streams.Config{
		Application: "sums",
		Brokers:     []string{"localhost:9092"},
		State:       streams.State{Dir: "data", Engine: openState},
		Failures:    streams.Failures{Decode: topology.DeadLetter, DeadLetterTopic: "payments-rejected"},
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
