package topology_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// Words are counted: each is moved, through a repartition topic, to the partition
// that owns it, counted in a store, and every new count is written out.
func Example() {
	lines := topology.NewTopic("text-lines", serde.String, serde.String)
	words := topology.NewRepartition("words", serde.String, serde.String)
	counts := store.KeyValue("counts", serde.String, serde.Int64)
	output := topology.NewTopic("word-counts", serde.String, serde.Int64)

	b := topology.New()
	b.From(lines).
		FlatMapValues(strings.Fields).
		KeyBy(words, func(_, word string) string { return word }).
		Count(counts).
		Stream().
		To(output)

	// In a test, the driver runs it without a broker.
	d := topologytest.New(new(testing.T), b)
	d.Send(lines, "", "the mill by the river")
	for _, r := range d.Take(output) {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// the 1
	// mill 1
	// by 1
	// the 2
	// river 1
}

// Payments are enriched with the row of a table, if there is one.
func ExampleStream_LeftJoinTable() {
	payments := topology.NewTopic("payments", serde.String, serde.Int64)
	limits := topology.NewTopic("limits", serde.String, serde.Int64)
	checked := topology.NewTopic("checked", serde.String, serde.String)

	b := topology.New()
	table := b.Table(limits, store.KeyValue("limits", serde.String, serde.Int64))
	b.From(payments).
		LeftJoinTable(table, func(_ string, amount int64, row topology.Opt[int64]) string {
			switch limit, ok := row.Get(); {
			case !ok:
				return "no limit"
			case amount > limit:
				return "over the limit"
			}
			return "fine"
		}).
		To(checked)

	d := topologytest.New(new(testing.T), b)
	d.Send(limits, "card-1", 100)
	d.Send(payments, "card-1", 250)
	d.Send(payments, "card-2", 250)
	for _, r := range d.Take(checked) {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// card-1 over the limit
	// card-2 no limit
}

// The general verb: a handler with a store, and a timer that goes by stream time.
func ExampleStream_Process() {
	visits := topology.NewTopic("visits", serde.String, serde.String)
	quiet := topology.NewTopic("quiet", serde.String, serde.String)
	last := store.KeyValue("last-visit", serde.String, serde.String)

	b := topology.New()
	b.From(visits).Process("quiet", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
		seen := last.Open(c)
		c.Every(time.Minute, topology.StreamTime, func(now time.Time) error {
			for e, err := range seen.All() {
				if err != nil {
					return err
				}
				if now.Sub(e.Time) < time.Minute {
					continue
				}
				if err := c.Emit(topology.Record[string, string]{Key: e.Key, Value: "last seen at " + e.Value, Time: now}); err != nil {
					return err
				}
				if err := seen.Delete(e.Key); err != nil {
					return err
				}
			}
			return nil
		})
		return func(r topology.Record[string, string]) error { return seen.Put(r.Key, r.Value) }, nil
	}, last).To(quiet)

	d := topologytest.New(new(testing.T), b)
	d.Send(visits, "ann", "the mill")
	d.Advance(45 * time.Second)
	d.Send(visits, "bob", "the weir")
	d.Advance(45 * time.Second)
	d.Send(visits, "bob", "the sluice")
	for _, r := range d.Take(quiet) {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// ann last seen at the mill
}
