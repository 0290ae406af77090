package topology_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// show prints what a topic has received.
func show[V any](d *topologytest.Driver, from topology.Topic[string, V]) {
	for _, r := range d.Take(from) {
		if r.NullValue {
			fmt.Println(r.Key, "deleted")
			continue
		}
		fmt.Println(r.Key, r.Value)
	}
}

// Each line of a log is cut, cleaned and given the key it is about.
func ExampleStream_MapValuesWithKey() {
	in := topology.NewTopic("readings", serde.String, serde.Int64)
	out := topology.NewTopic("messages", serde.String, serde.String)

	b := topology.New()
	b.From(in).
		Filter(func(_ string, celsius int64) bool { return celsius > 100 }).
		MapValuesWithKey(func(sensor string, celsius int64) string {
			return fmt.Sprintf("%s is at %d degrees", sensor, celsius)
		}).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "boiler", 80)
	d.Send(in, "boiler", 120)
	show(d, out)
	// Output:
	// boiler boiler is at 120 degrees
}

// A stream is split by predicates; what none of them takes goes to the last arm.
func ExampleStream_Branch() {
	in := topology.NewTopic("orders", serde.String, serde.Int64)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	arms := b.From(in).Branch(
		func(_ string, amount int64) bool { return amount >= 1000 },
		func(_ string, amount int64) bool { return amount >= 100 },
	)
	label := func(size string) func(int64) string {
		return func(amount int64) string { return fmt.Sprint(size, " ", amount) }
	}
	arms[0].MapValues(label("large")).
		Merge(arms[1].MapValues(label("medium"))).
		Merge(arms[2].MapValues(label("small"))).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "a", 5)
	d.Send(in, "b", 500)
	d.Send(in, "c", 5000)
	show(d, out)
	// Output:
	// a small 5
	// b medium 500
	// c large 5000
}

// SelectKey sees records as they are, also those that have no key or no value.
func ExampleStream_SelectKey() {
	in := topology.NewTopic("in", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	b.From(in).
		SelectKey(func(r topology.Record[string, string]) string {
			if r.NullKey {
				return "nobody"
			}
			return strings.ToLower(r.Key)
		}).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "Ann", "1")
	d.Pipe(in, topology.Record[string, string]{NullKey: true, Value: "2"})
	d.Pipe(in, topology.Record[string, string]{Key: "Bob", NullValue: true})
	show(d, out)
	// Output:
	// ann 1
	// nobody 2
	// bob deleted
}

// Urgent records go to every partition, those of no interest to none, all others
// where their key belongs.
func ExampleTopic_PartitionedBy() {
	in := topology.NewTopic("in", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String).
		PartitionedBy(func(r topology.Record[string, string], partitions int32) topology.Opt[[]int32] {
			switch r.Value {
			case "urgent":
				var all []int32
				for p := range partitions {
					all = append(all, p)
				}
				return topology.Some(all)
			case "idle":
				return topology.Some([]int32{})
			}
			return topology.None[[]int32]()
		})

	b := topology.New()
	b.From(in).To(out)

	d := topologytest.New(new(testing.T), b, topologytest.Partitions(2))
	d.Send(in, "a", "urgent")
	d.Send(in, "a", "idle")
	d.Send(in, "a", "usual")
	show(d, out)
	// Output:
	// a urgent
	// a usual
	// a urgent
}

// A basket's total falls when something is returned, and the row goes when nothing
// is left.
func ExampleStream_Fold() {
	in := topology.NewTopic("basket", serde.String, serde.Int64)
	out := topology.NewTopic("totals", serde.String, serde.Int64)

	b := topology.New()
	b.From(in).
		Fold(store.KeyValue("totals", serde.String, serde.Int64), func(_ string, change int64, old topology.Opt[int64]) topology.Opt[int64] {
			if total := old.Or(0) + change; total > 0 {
				return topology.Some(total)
			}
			return topology.None[int64]()
		}).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "ann", 5)
	d.Send(in, "ann", 2)
	d.Send(in, "ann", -7)
	show(d, out)
	// Output:
	// ann 5
	// ann 7
	// ann deleted
}

// Clicks and purchases, which are of different types, are folded into one row.
func ExampleStream_Cogroup() {
	clicks := topology.NewTopic("clicks", serde.String, serde.String)
	purchases := topology.NewTopic("purchases", serde.String, serde.Int64)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	b.From(clicks).
		Cogroup(func(seen, _ string, page string) string { return seen + " " + page }).
		And(b.From(purchases), func(seen, _ string, amount int64) string { return fmt.Sprint(seen, " bought for ", amount) }).
		Aggregate(store.KeyValue("visits", serde.String, serde.String)).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(clicks, "ann", "home")
	d.Send(purchases, "ann", 20)
	show(d, out)
	// Output:
	// ann  home
	// ann  home bought for 20
}

// Two streams of the same types become one, here of cents.
func ExampleStream_Merge() {
	shop := topology.NewTopic("shop-in-euros", serde.String, serde.Int64)
	web := topology.NewTopic("web-in-cents", serde.String, serde.Int64)
	out := topology.NewTopic("cents", serde.String, serde.Int64)

	b := topology.New()
	b.From(shop).MapValues(func(amount int64) int64 { return amount * 100 }).
		Merge(b.From(web)).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(shop, "ann", 12)
	d.Send(web, "bob", 150)
	show(d, out)
	// Output:
	// ann 1200
	// bob 150
}
