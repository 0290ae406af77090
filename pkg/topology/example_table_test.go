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

// A row that is no longer one of those that are kept is deleted.
func ExampleTable_Filter() {
	in := topology.NewTopic("temperatures", serde.String, serde.Int64)
	out := topology.NewTopic("alarms", serde.String, serde.String)

	b := topology.New()
	b.Table(in, store.KeyValue("temperatures", serde.String, serde.Int64)).
		Filter(func(_ string, celsius int64) bool { return celsius > 100 }).
		MapValues(func(celsius int64) string { return fmt.Sprint(celsius, " degrees") }).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "boiler", 80)
	d.Send(in, "boiler", 120)
	d.Send(in, "boiler", 90)
	d.Send(in, "boiler", 80)
	show(d, out)
	// Output:
	// boiler 120 degrees
	// boiler deleted
}

// How many people live in each town: who moves is taken from the old one.
func ExampleTable_GroupBy() {
	in := topology.NewTopic("people", serde.String, serde.String)
	out := topology.NewTopic("inhabitants", serde.String, serde.Int64)

	b := topology.New()
	b.Table(in, store.KeyValue("people", serde.String, serde.String)).
		GroupBy(topology.NewRepartition("by-town", serde.String, serde.String), func(person, town string) (string, string) {
			return town, person
		}).
		Count(store.KeyValue("inhabitants", serde.String, serde.Int64)).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "ann", "Delft")
	d.Send(in, "bob", "Delft")
	d.Send(in, "ann", "Leiden")
	show(d, out)
	// Output:
	// Delft 1
	// Delft 2
	// Delft 1
	// Leiden 1
}

// What is in stock is worth its number times its price, whichever of them changes.
func ExampleTable_Join() {
	stock := topology.NewTopic("stock", serde.String, serde.Int64)
	prices := topology.NewTopic("prices", serde.String, serde.Int64)
	out := topology.NewTopic("worth", serde.String, serde.Int64)

	b := topology.New()
	b.Table(stock, store.KeyValue("stock", serde.String, serde.Int64)).
		Join(b.Table(prices, store.KeyValue("prices", serde.String, serde.Int64)),
			func(_ string, n, price int64) int64 { return n * price }).
		Materialize(store.KeyValue("worth", serde.String, serde.Int64)).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(stock, "tea", 10)
	d.Send(prices, "tea", 3)
	d.Send(stock, "tea", 8)
	d.Pipe(prices, topology.Record[string, int64]{Key: "tea", NullValue: true})
	show(d, out)
	// Output:
	// tea 30
	// tea 24
	// tea deleted
}

// A row of an outer join is there as long as one of the tables has it.
func ExampleTable_OuterJoin() {
	home := topology.NewTopic("home", serde.String, serde.String)
	work := topology.NewTopic("work", serde.String, serde.String)
	out := topology.NewTopic("phones", serde.String, serde.String)

	b := topology.New()
	b.Table(home, store.KeyValue("home", serde.String, serde.String)).
		OuterJoin(b.Table(work, store.KeyValue("work", serde.String, serde.String)),
			func(_ string, home, work topology.Opt[string]) string {
				return home.Or("none") + ", " + work.Or("none")
			}).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(work, "ann", "222")
	d.Send(home, "ann", "111")
	d.Pipe(work, topology.Record[string, string]{Key: "ann", NullValue: true})
	d.Pipe(home, topology.Record[string, string]{Key: "ann", NullValue: true})
	show(d, out)
	// Output:
	// ann none, 222
	// ann 111, 222
	// ann 111, none
	// ann deleted
}

// Every row of the left table has one in the result.
func ExampleTable_LeftJoin() {
	users := topology.NewTopic("users", serde.String, serde.String)
	logins := topology.NewTopic("logins", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	last := b.Table(logins, store.KeyValue("logins", serde.String, serde.String))
	b.Table(users, store.KeyValue("users", serde.String, serde.String)).
		LeftJoin(last, func(_, name string, login topology.Opt[string]) string { return name + " " + login.Or("never") }).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(logins, "u2", "Friday")
	d.Send(users, "u1", "Ann")
	d.Send(logins, "u1", "Monday")
	show(d, out)
	// Output:
	// u1 Ann never
	// u1 Ann Monday
}

// What a department's people earn: a row that changes is taken out as it was and put in
// as it is.
func ExampleRegrouped_Aggregate() {
	type person struct {
		Department string
		Salary     int64
	}
	people := topology.NewTopic("people", serde.String, serde.JSON[person]())
	out := topology.NewTopic("out", serde.String, serde.Int64)

	b := topology.New()
	b.Table(people, store.KeyValue("people", serde.String, serde.JSON[person]())).
		GroupBy(topology.NewRepartition("by-department", serde.String, serde.Int64), func(_ string, p person) (string, int64) {
			return p.Department, p.Salary
		}).
		Aggregate(store.KeyValue("payroll", serde.String, serde.Int64),
			func(sum int64, _ string, salary int64) int64 { return sum + salary },
			func(sum int64, _ string, salary int64) int64 { return sum - salary }).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(people, "ann", person{"IT", 10})
	d.Send(people, "bob", person{"IT", 20})
	d.Send(people, "ann", person{"IT", 15})
	d.Send(people, "bob", person{"HR", 20})
	show(d, out)
	// Output:
	// IT 10
	// IT 30
	// IT 35
	// IT 15
	// HR 20
}

// A changelog is mapped and filtered, and nothing of it is kept.
func ExampleStream_Updates() {
	in := topology.NewTopic("customers", serde.String, serde.String)
	out := topology.NewTopic("mails", serde.String, serde.String)

	b := topology.New()
	b.From(in).
		Updates().
		Filter(func(_, mail string) bool { return strings.Contains(mail, "@") }).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(in, "c1", "ann@example.org")
	d.Send(in, "c1", "none")
	show(d, out)
	// Output:
	// c1 ann@example.org
	// c1 deleted
}
