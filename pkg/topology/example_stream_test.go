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

// Two topics of the same types are one stream.
func ExampleBuilder_From() {
	web := topology.NewTopic("web-orders", serde.String, serde.Int64)
	shop := topology.NewTopic("shop-orders", serde.String, serde.Int64)
	large := topology.NewTopic("large-orders", serde.String, serde.Int64)

	b := topology.New()
	b.From(web, shop).
		Filter(func(_ string, amount int64) bool { return amount >= 100 }).
		To(large)

	d := topologytest.New(new(testing.T), b)
	d.Send(web, "ann", 20)
	d.Send(web, "bob", 200)
	d.Send(shop, "cem", 300)
	show(d, large)
	// Output:
	// bob 200
	// cem 300
}

// A record becomes another one, key and value. Who counts by the new key moves the
// records there first.
func ExampleStream_Map() {
	in := topology.NewTopic("temperatures", serde.String, serde.Float64)
	out := topology.NewTopic("out", serde.String, serde.Float64)

	b := topology.New()
	b.From(in).
		Map(func(sensor string, celsius float64) (string, float64) {
			return strings.ToUpper(sensor), celsius*9/5 + 32
		}).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "boiler", 100)
	show(d, out)
	// Output:
	// BOILER 212
}

// One record becomes any number of records.
func ExampleStream_FlatMap() {
	in := topology.NewTopic("letters", serde.String, serde.String)
	out := topology.NewTopic("mentions", serde.String, serde.String)

	b := topology.New()
	b.From(in).
		FlatMap(func(from, text string, emit func(to, from string)) {
			for word := range strings.FieldsSeq(text) {
				if name, ok := strings.CutPrefix(word, "@"); ok {
					emit(name, from)
				}
			}
		}).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "ann", "@bob and @cem are late")
	show(d, out)
	// Output:
	// bob ann
	// cem ann
}

// Values are looked at as they pass. What ForEach does outside of Kafka may be done
// again after a crash.
func ExampleStream_Peek() {
	in := topology.NewTopic("in", serde.String, serde.String)

	b := topology.New()
	b.From(in).
		Peek(func(k, v string) { fmt.Printf("raw %s %q\n", k, v) }).
		MapValues(strings.TrimSpace).
		ForEach(func(k, v string) { fmt.Printf("trimmed %s %q\n", k, v) })

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "k", " v ")
	// Output:
	// raw k " v "
	// trimmed k "v"
}

// Records are counted by something else than their key: they move, through a topic, to
// the partition that has all of that kind.
func ExampleStream_KeyBy() {
	clicks := topology.NewTopic("clicks", serde.String, serde.String)
	byPage := topology.NewRepartition("by-page", serde.String, serde.String)
	out := topology.NewTopic("views", serde.String, serde.Int64)

	b := topology.New()
	b.From(clicks).
		KeyBy(byPage, func(_, page string) string { return page }).
		Count(store.KeyValue("views", serde.String, serde.Int64)).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(clicks, "ann", "home")
	d.Send(clicks, "bob", "home")
	show(d, out)
	// Output:
	// home 1
	// home 2
}

// Records whose key a verb has changed are moved by the new key.
func ExampleStream_Repartition() {
	in := topology.NewTopic("in", serde.String, serde.String)
	lower := topology.NewRepartition("lower", serde.String, serde.String).Partitions(4)
	out := topology.NewTopic("out", serde.String, serde.Int64)

	b := topology.New()
	b.From(in).
		Map(func(k, v string) (string, string) { return strings.ToLower(k), v }).
		Repartition(lower).
		Count(store.KeyValue("n", serde.String, serde.Int64)).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "Ann", "1")
	d.Send(in, "ANN", "2")
	show(d, out)
	// Output:
	// ann 1
	// ann 2
}

// Each record chooses its topic.
func ExampleStream_ToEach() {
	in := topology.NewTopic("in", serde.String, serde.String)
	country := func(code string) topology.Topic[string, string] {
		return topology.NewTopic("orders-"+code, serde.String, serde.String)
	}

	b := topology.New()
	b.From(in).
		ToEach(func(r topology.Record[string, string]) topology.Topic[string, string] {
			return country(r.Value[:2])
		})

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "ann", "nl-1")
	d.Send(in, "bob", "tr-2")
	show(d, country("nl"))
	show(d, country("tr"))
	// Output:
	// ann nl-1
	// bob tr-2
}

// The result of a key is that of all its values so far.
func ExampleStream_Aggregate() {
	in := topology.NewTopic("payments", serde.String, serde.Int64)
	out := topology.NewTopic("averages", serde.String, serde.Float64)
	type sum struct{ N, Total int64 }

	b := topology.New()
	b.From(in).
		Aggregate(store.KeyValue("sums", serde.String, serde.JSON[sum]()), func(s sum, _ string, amount int64) sum {
			return sum{s.N + 1, s.Total + amount}
		}).
		MapValues(func(s sum) float64 { return float64(s.Total) / float64(s.N) }).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "ann", 10)
	d.Send(in, "ann", 15)
	show(d, out)
	// Output:
	// ann 10
	// ann 12.5
}

// Who comes for the first time has a balance of 100.
func ExampleStream_AggregateFrom() {
	in := topology.NewTopic("payments", serde.String, serde.Int64)
	out := topology.NewTopic("balances", serde.String, serde.Int64)

	b := topology.New()
	b.From(in).
		AggregateFrom(store.KeyValue("balances", serde.String, serde.Int64), func() int64 { return 100 }, func(balance int64, _ string, change int64) int64 {
			return balance + change
		}).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "ann", -10)
	d.Send(in, "ann", 15)
	show(d, out)
	// Output:
	// ann 90
	// ann 105
}

// The highest bid so far: a result of the values' own type.
func ExampleStream_Reduce() {
	bids := topology.NewTopic("bids", serde.String, serde.Int64)
	out := topology.NewTopic("highest", serde.String, serde.Int64)

	b := topology.New()
	b.From(bids).
		Reduce(store.KeyValue("highest", serde.String, serde.Int64), func(acc, bid int64) int64 { return max(acc, bid) }).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(bids, "vase", 10)
	d.Send(bids, "vase", 30)
	d.Send(bids, "vase", 20)
	show(d, out)
	// Output:
	// vase 10
	// vase 30
	// vase 30
}

// The stream's side triggers: a row that comes later changes nothing.
func ExampleStream_JoinTable() {
	names := topology.NewTopic("names", serde.String, serde.String)
	orders := topology.NewTopic("orders", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	table := b.From(names).Table(store.KeyValue("names", serde.String, serde.String))
	b.From(orders).
		JoinTable(table, func(_, order, name string) string { return name + " wants " + order }).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(orders, "c1", "tea")
	d.Send(names, "c1", "Ann")
	d.Send(orders, "c1", "milk")
	show(d, out)
	// Output:
	// c1 Ann wants milk
}

// What a table emits is coalesced: once per commit, with the last value.
func ExampleCoalesced() {
	in := topology.NewTopic("in", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.Int64)

	b := topology.New()
	b.From(in).
		Count(store.KeyValue("n", serde.String, serde.Int64), topology.Coalesced()).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b, topologytest.CommitEvery(3))
	for range 6 {
		d.Send(in, "k", "v")
	}
	show(d, out)
	// Output:
	// k 3
	// k 6
}
