package topology_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

var ask = topology.NewTopic("ask", serde.String, serde.String)

// Questions are answered from a global table, by their values.
func globalJoin() (*topology.Builder, topology.GlobalTable[string, string]) {
	b := topology.New()
	table := b.GlobalTable(letters, text("g"))
	key := func(_, v string) topology.Opt[string] {
		if v == "-" {
			return topology.None[string]()
		}
		return topology.Some(v)
	}
	b.From(ask).LeftJoinGlobal(table, key, func(k, v string, row topology.Opt[string]) string { return v + row.Or("?") }).To(result)
	return b, table
}

// All partitions are in the table, wherever the question is asked.
func TestGlobalJoin(t *testing.T) {
	t.Parallel()
	b, table := globalJoin()
	d := topologytest.New(t, b, topologytest.Partitions(3))
	got := steps(d, "ask k=a", "letters a=1", "letters b=2", "letters c=3", "ask k=a", "ask k=b", "ask k=c", "ask k=-", "letters a=null", "ask k=a", "letters b=", "ask k=b")
	expect(t, got, "k=a?", "", "", "", "k=a1", "k=b2", "k=c3", "k=-?", "", "k=a?", "", "k=b")
	var all []string
	for e, err := range table.Open(d).All() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key+"="+e.Value)
	}
	expect(t, all, "b=", "c=3")
}

// The table is there again after a restart, with local state and without.
func TestGlobalTableRestarts(t *testing.T) {
	t.Parallel()
	for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
		b, _ := globalJoin()
		d := topologytest.New(t, b, topologytest.Partitions(2))
		steps(d, "letters a=1", "letters b=2", "letters b=null")
		d.Restart(local)
		expect(t, steps(d, "ask k=a", "ask k=b", "letters b=4", "ask k=b"), "k=a1", "k=b?", "", "k=b4")
	}
}

// What the topology itself writes to the table's topic is in it once it is committed.
func TestGlobalTableOfOwnOutput(t *testing.T) {
	t.Parallel()
	b, _ := globalJoin()
	b.From(digits).To(letters)
	d := topologytest.New(t, b, topologytest.CommitEvery(2))
	got := steps(d, "digits a=1", "ask k=a", "ask k=a", "ask k=b")
	expect(t, got, "", "k=a?", "", "k=a1 k=b?")
}

// A processor may read a global table, from where and as often as it likes.
func TestGlobalTableInProcessor(t *testing.T) {
	t.Parallel()
	b := topology.New()
	table := b.GlobalTable(letters, text("g"))
	b.From(ask).Process("p", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
		rows := table.Open(c)
		return func(r topology.Record[string, string]) error {
			var found []string
			for e, err := range rows.Range("a", r.Value) {
				if err != nil {
					return err
				}
				found = append(found, e.Key+e.Value)
			}
			r.Value = strings.Join(found, " ")
			return c.Emit(r)
		}, nil
	}).To(result)
	d := topologytest.New(t, b)
	got := steps(d, "letters a=1", "letters b=2", "letters c=3", "ask k=c")
	expect(t, got, "", "", "", "k=a1 b2")
}

// Payments are in the currencies of countries, which is not what they are keyed by.
func ExampleStream_JoinGlobal() {
	type payment struct {
		Country string
		Amount  int64
	}
	payments := topology.NewTopic("payments", serde.String, serde.JSON[payment]())
	currencies := topology.NewTopic("currencies", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	table := b.GlobalTable(currencies, store.KeyValue("currencies", serde.String, serde.String))
	b.From(payments).
		JoinGlobal(table,
			func(_ string, p payment) topology.Opt[string] { return topology.Some(p.Country) },
			func(_ string, p payment, currency string) string { return fmt.Sprint(p.Amount, " ", currency) }).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(currencies, "NL", "EUR")
	d.Send(payments, "ann", payment{"NL", 12})
	d.Send(payments, "bob", payment{"XX", 12})
	show(d, out)
	// Output:
	// ann 12 EUR
}

// The largest order of each customer is what code makes of a topic of orders.
func largest() (*topology.Builder, topology.GlobalTable[string, int64]) {
	b := topology.New()
	orders := topology.NewTopic("orders", serde.String, serde.String)
	table := b.GlobalStore(orders, store.KeyValue("largest", serde.String, serde.Int64), func(rows *store.View[string, int64], r topology.Record[string, string]) error {
		customer, amount, ok := strings.Cut(r.Value, ":")
		if r.NullValue || !ok {
			return nil
		}
		n, err := strconv.ParseInt(amount, 10, 64)
		if err != nil {
			return err
		}
		most, _, err := rows.Get(customer)
		switch {
		case err != nil:
			return err
		case n < 0:
			return rows.Delete(customer)
		case n > most:
			return rows.Put(customer, n)
		}
		return nil
	})
	b.From(ask).LeftJoinGlobal(table,
		func(_, v string) topology.Opt[string] { return topology.Some(v) },
		func(_, v string, row topology.Opt[int64]) string { return fmt.Sprint(v, row.Or(-1)) }).To(result)
	return b, table
}

// What code makes of a topic, its own earlier rows among it, is there for every task, with
// the record's time, and again after a restart: from local state without a record twice, or
// from the beginning.
func TestGlobalStore(t *testing.T) {
	t.Parallel()
	for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
		b, table := largest()
		d := topologytest.New(t, b, topologytest.Partitions(3))
		orders := topology.NewTopic("orders", serde.String, serde.String)
		for i, v := range []string{"ann:3", "bob:9", "ann:7", "ann:5", "cem:1", "bob:-1", "nobody"} {
			d.Pipe(orders, textRecord{Key: strconv.Itoa(i), Value: v, Time: time.UnixMilli(int64(i))})
		}
		d.Pipe(orders, textRecord{NullKey: true, Value: "dan:4", Time: time.UnixMilli(8)})
		d.Pipe(orders, textRecord{Key: "0", NullValue: true, Time: time.UnixMilli(9)})
		for range 2 {
			expect(t, steps(d, "ask k=ann", "ask k=bob", "ask k=cem", "ask k=dan"), "k=ann7", "k=bob-1", "k=cem1", "k=dan-1")
			var all []string
			for e, err := range table.Open(d).Range("a", "c") {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, fmt.Sprintf("%s=%d@%d", e.Key, e.Value, e.Time.UnixMilli()))
			}
			expect(t, all, "ann=7@2")
			d.Restart(local)
		}
	}
}

// With local state kept, a record is not taken a second time.
func TestGlobalStoreCountsOnce(t *testing.T) {
	t.Parallel()
	b := topology.New()
	table := b.GlobalStore(letters, store.KeyValue("n", serde.String, serde.Int64), func(rows *store.View[string, int64], r topology.Record[string, string]) error {
		n, _, err := rows.Get(r.Value)
		if err != nil {
			return err
		}
		return rows.Put(r.Value, n+1)
	})
	b.From(ask).LeftJoinGlobal(table,
		func(_, v string) topology.Opt[string] { return topology.Some(v) },
		func(_, v string, row topology.Opt[int64]) string { return fmt.Sprint(v, row.Or(0)) }).To(result)
	d := topologytest.New(t, b)
	steps(d, "letters a=x", "letters b=x", "letters c=y")
	d.Restart(topologytest.KeepState)
	expect(t, steps(d, "letters d=x", "ask k=x"), "", "k=x3")
	d.Crash(topologytest.LoseState)
	expect(t, steps(d, "ask k=x", "ask k=y"), "k=x3", "k=y1")
}

// A record that code fails on, or panics on, stops the service, and says which it was.
func TestGlobalStoreFails(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"ann:many", "panic"} {
		b := topology.New()
		b.GlobalStore(letters, store.KeyValue("n", serde.String, serde.Int64), func(_ *store.View[string, int64], r topology.Record[string, string]) error {
			if r.Value == "panic" {
				panic("no")
			}
			_, err := strconv.Atoi(r.Value)
			return err
		})
		b.From(ask).To(result)
		var failed error
		d := topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Skip, ""), topologytest.OnError(func(err error) { failed = errors.Join(failed, err) }))
		d.Send(letters, "a", "1")
		if failed != nil {
			t.Fatal(failed)
		}
		d.Send(letters, "b", text)
		if where := new(topology.Error); !errors.As(failed, &where) || where.Topic != "letters" || where.Offset != 1 || where.Node != "n" {
			t.Errorf("%s: failed with %v", text, failed)
		}
		if errors.Is(failed, topology.ErrPanic) != (text == "panic") {
			t.Errorf("%s: failed with %v", text, failed)
		}
	}
}

// A table of a topic's records that becomes one of what code makes of them, or the other way
// round, is filled anew.
func TestGlobalStoreWasTable(t *testing.T) {
	t.Parallel()
	made := func() *topology.Builder {
		b := topology.New()
		table := b.GlobalStore(letters, text("g"), func(rows *store.View[string, string], r topology.Record[string, string]) error {
			return rows.Put(r.Value, r.Key)
		})
		b.From(ask).LeftJoinGlobal(table, func(_, v string) topology.Opt[string] { return topology.Some(v) },
			func(_, v string, row topology.Opt[string]) string { return v + row.Or("?") }).To(result)
		return b
	}
	plain := func() *topology.Builder { b, _ := globalJoin(); return b }
	d := topologytest.New(t, plain())
	expect(t, steps(d, "letters a=1", "ask k=a", "ask k=1"), "", "k=a1", "k=1?")
	d.Upgrade(made(), topologytest.KeepState)
	expect(t, steps(d, "ask k=a", "ask k=1"), "k=a?", "k=1a")
	d.Upgrade(plain(), topologytest.KeepState)
	expect(t, steps(d, "ask k=a", "ask k=1"), "k=a1", "k=1?")
}

// Rates come as one record for each bank; what is looked up is the best one of all.
func ExampleBuilder_GlobalStore() {
	rates := topology.NewTopic("rates", serde.String, serde.Float64) // by bank and currency
	sums := topology.NewTopic("sums", serde.String, serde.Float64)
	out := topology.NewTopic("out", serde.String, serde.Float64)

	b := topology.New()
	best := b.GlobalStore(rates, store.KeyValue("best", serde.String, serde.Float64),
		func(rows *store.View[string, float64], r topology.Record[string, float64]) error {
			_, currency, _ := strings.Cut(r.Key, "/")
			known, _, err := rows.Get(currency)
			if err != nil || r.Value <= known {
				return err
			}
			return rows.Put(currency, r.Value)
		})
	b.From(sums).
		JoinGlobal(best,
			func(currency string, _ float64) topology.Opt[string] { return topology.Some(currency) },
			func(_ string, sum, rate float64) float64 { return sum * rate }).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(rates, "one/EUR", 1.25)
	d.Send(rates, "two/EUR", 1.5)
	d.Send(rates, "three/EUR", 1.0)
	d.Send(sums, "EUR", 100)
	show(d, out)
	// Output:
	// EUR 150
}
