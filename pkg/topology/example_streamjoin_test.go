package topology_test

import (
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

// at is a time some seconds after the driver's start.
func at(seconds int64) time.Time { return time.UnixMilli(1000 * seconds) }

// Which advertisement led to which click.
func ExampleStream_Join() {
	shown := topology.NewTopic("shown", serde.String, serde.String)
	clicks := topology.NewTopic("clicks", serde.String, serde.String)
	out := topology.NewTopic("led-to", serde.String, serde.String)

	b := topology.New()
	b.From(shown).
		Join(b.From(clicks),
			window.Within(0).After(30*time.Second),
			store.Join("ad-clicks", serde.String, serde.String, serde.String),
			func(_, ad, page string) string { return ad + " led to " + page }).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Pipe(shown, topology.Record[string, string]{Key: "ann", Value: "shoes", Time: at(0)})
	d.Pipe(clicks, topology.Record[string, string]{Key: "ann", Value: "shop/shoes", Time: at(10)})
	d.Pipe(clicks, topology.Record[string, string]{Key: "ann", Value: "news", Time: at(60)}) // too late
	d.Pipe(shown, topology.Record[string, string]{Key: "ann", Value: "paper", Time: at(59)}) // out of order
	show(d, out)
	// Output:
	// ann shoes led to shop/shoes
	// ann paper led to news
}

// Orders that nobody has paid within a minute are told of once the minute is over.
func ExampleStream_LeftJoin() {
	orders := topology.NewTopic("orders", serde.String, serde.String)
	payments := topology.NewTopic("payments", serde.String, serde.Int64)
	out := topology.NewTopic("reminders", serde.String, serde.String)

	b := topology.New()
	b.From(orders).
		LeftJoin(b.From(payments),
			window.Within(time.Minute).Grace(10*time.Second),
			store.Join("paid", serde.String, serde.String, serde.Int64),
			func(_, order string, paid topology.Opt[int64]) string {
				if _, ok := paid.Get(); ok {
					return order + " is paid"
				}
				return order + " is open"
			}).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Pipe(orders, topology.Record[string, string]{Key: "17", Value: "tea", Time: at(0)})
	d.Pipe(orders, topology.Record[string, string]{Key: "18", Value: "milk", Time: at(5)})
	d.Pipe(payments, topology.Record[string, int64]{Key: "18", Value: 3, Time: at(20)})
	d.Pipe(orders, topology.Record[string, string]{Key: "19", Value: "rice", Time: at(71)}) // a minute and the grace period are over
	show(d, out)
	// Output:
	// 18 milk is paid
	// 17 tea is open
}

// Two books that should say the same.
func ExampleStream_OuterJoin() {
	ours := topology.NewTopic("ours", serde.String, serde.Int64)
	theirs := topology.NewTopic("theirs", serde.String, serde.Int64)
	out := topology.NewTopic("differences", serde.String, serde.String)

	b := topology.New()
	b.From(ours).
		OuterJoin(b.From(theirs),
			window.Within(time.Minute),
			store.Join("books", serde.String, serde.Int64, serde.Int64),
			func(_ string, a, b topology.Opt[int64]) string {
				switch {
				case a == b:
					return "agreed"
				case a == topology.None[int64]():
					return "we have nothing"
				case b == topology.None[int64]():
					return "they have nothing"
				}
				return "amounts differ"
			}).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Pipe(ours, topology.Record[string, int64]{Key: "a", Value: 10, Time: at(0)})
	d.Pipe(theirs, topology.Record[string, int64]{Key: "a", Value: 10, Time: at(1)})
	d.Pipe(theirs, topology.Record[string, int64]{Key: "b", Value: 20, Time: at(2)})
	d.Pipe(ours, topology.Record[string, int64]{Key: "c", Value: 30, Time: at(70)})
	show(d, out)
	// Output:
	// a agreed
	// b we have nothing
}

// A stream joined with itself is kept once: devices that were seen in two places within
// a minute.
func ExampleStream_Join_itself() {
	seen := topology.NewTopic("seen", serde.String, serde.String)
	out := topology.NewTopic("moves", serde.String, serde.String)

	b := topology.New()
	s := b.From(seen)
	s.Join(s,
		window.Within(0).After(time.Minute),
		store.Join("moves", serde.String, serde.String, serde.String),
		func(_, from, to string) string { return from + " " + to }).
		Filter(func(_, move string) bool { return move != "Delft Delft" && move != "Leiden Leiden" }).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Pipe(seen, topology.Record[string, string]{Key: "phone", Value: "Delft", Time: at(0)})
	d.Pipe(seen, topology.Record[string, string]{Key: "phone", Value: "Leiden", Time: at(30)})
	show(d, out)
	// Output:
	// phone Delft Leiden
}

// The price of the order's time counts, not the last one.
func ExampleStream_JoinTable_versioned() {
	prices := topology.NewTopic("prices", serde.String, serde.Int64)
	orders := topology.NewTopic("orders", serde.String, serde.Int64)
	out := topology.NewTopic("bills", serde.String, serde.Int64)

	b := topology.New()
	table := b.Table(prices, store.Versioned("prices", serde.String, serde.Int64, time.Hour))
	b.From(orders).
		JoinTable(table, func(_ string, pieces, price int64) int64 { return pieces * price }).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Pipe(prices, topology.Record[string, int64]{Key: "tea", Value: 10, Time: at(0)})
	d.Pipe(prices, topology.Record[string, int64]{Key: "tea", Value: 12, Time: at(60)})
	d.Pipe(orders, topology.Record[string, int64]{Key: "tea", Value: 3, Time: at(59)})
	d.Pipe(orders, topology.Record[string, int64]{Key: "tea", Value: 3, Time: at(61)})
	show(d, out)
	// Output:
	// tea 30
	// tea 36
}

// Orders wait for prices that come a little late.
func ExampleGrace() {
	prices := topology.NewTopic("prices", serde.String, serde.Int64)
	orders := topology.NewTopic("orders", serde.String, serde.Int64)
	out := topology.NewTopic("bills", serde.String, serde.Int64)

	b := topology.New()
	table := b.Table(prices, store.Versioned("prices", serde.String, serde.Int64, time.Hour))
	wait := topology.Grace(30*time.Second, store.Queue("bills", serde.String, serde.Int64))
	b.From(orders).
		JoinTable(table, func(_ string, pieces, price int64) int64 { return pieces * price }, wait).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Pipe(prices, topology.Record[string, int64]{Key: "tea", Value: 10, Time: at(0)})
	d.Pipe(orders, topology.Record[string, int64]{Key: "tea", Value: 3, Time: at(61)})
	d.Pipe(prices, topology.Record[string, int64]{Key: "tea", Value: 12, Time: at(60)}) // late, and in time all the same
	d.Pipe(orders, topology.Record[string, int64]{Key: "tea", Value: 1, Time: at(95)})
	show(d, out)
	// Output:
	// tea 36
}
