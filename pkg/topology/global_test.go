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
