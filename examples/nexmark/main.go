// Command nexmark runs queries of NEXMark, the benchmark of stream processors that looks
// on at an auction house (Tucker, Tufte, Papadimos, Maier: NEXMark, a benchmark for queries
// over data streams; the numbers are those of Beam and Flink). Each is a service of its
// own:
//
//	nexmark -generate 1000000     writes so many events to a Kafka at localhost:9092
//	nexmark -query q5             answers a query until it is interrupted
//
// The inputs are the topics nexmark-people, nexmark-auctions and nexmark-bids; the query's
// answer is nexmark-q5. All of them must be there.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// answer runs a query as an application of its own, whose state is in a folder.
func answer(ctx context.Context, query, brokers, application, dir string) error {
	build, ok := queries[query]
	if !ok {
		return fmt.Errorf("no query is called %q: there are %v", query, slices.Sorted(maps.Keys(queries)))
	}
	b := topology.New()
	build(b)
	t, err := b.Build()
	if err != nil {
		return err
	}
	app, err := streams.New(t, streams.Config{
		Application: cmp.Or(application, "nexmark-"+query),
		Brokers:     strings.Split(brokers, ","),
		State:       streams.State{Dir: dir, Engine: openState},
	})
	if err != nil {
		return err
	}
	return app.Run(ctx)
}

func openState(dir string) (store.Engine, error) { return pebble.Open(dir, pebble.Options{}) }

// generate writes n events.
func generate(ctx context.Context, n int, brokers string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := NewGenerator(1, time.Now(), time.Millisecond)
	for range n {
		r, err := g.Next().record()
		if err != nil {
			return err
		}
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(err)
			}
		})
	}
	return errors.Join(cl.Flush(ctx), context.Cause(ctx))
}

// record is the event as it is on its topic.
func (e Event) record() (*kgo.Record, error) {
	switch {
	case e.Person != nil:
		return encode(people, e.Person.ID, *e.Person, e.At())
	case e.Auction != nil:
		return encode(auctions, e.Auction.ID, *e.Auction, e.At())
	}
	return encode(bids, e.Bid.Auction, *e.Bid, e.At())
}

func encode[V any](to topology.Topic[int64, V], key int64, value V, at time.Time) (*kgo.Record, error) {
	k, v, _, err := to.Encode(topology.Record[int64, V]{Key: key, Value: value})
	return &kgo.Record{Topic: to.Name(), Key: k, Value: v, Timestamp: at}, err
}

func main() {
	events := flag.Int("generate", 0, "write so many events")
	query := flag.String("query", "", "answer this query")
	brokers := flag.String("brokers", "localhost:9092", "where Kafka is")
	application := flag.String("application", "", "answer as this one; nexmark-QUERY if empty")
	dir := flag.String("dir", "data", "the `folder` for state")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *events > 0:
		err = generate(ctx, *events, *brokers)
	default:
		err = answer(ctx, *query, *brokers, *application, *dir)
	}
	if err != nil {
		log.Fatal(err)
	}
}
