package topology_test

import (
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// Every book has a row, whether its author is known or not, or if it has none.
func ExampleTable_LeftJoinForeign() {
	books := topology.NewTopic("books", serde.String, serde.String) // the author's key, or nothing
	authors := topology.NewTopic("authors", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	people := b.Table(authors, store.KeyValue("authors", serde.String, serde.String))
	b.Table(books, store.KeyValue("books", serde.String, serde.String)).
		LeftJoinForeign(people, topology.NewSubscription("covers"),
			func(_, author string) topology.Opt[string] {
				if author == "" {
					return topology.None[string]()
				}
				return topology.Some(author)
			},
			func(title, _ string, name topology.Opt[string]) string { return title + " by " + name.Or("unknown") }).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(books, "Emma", "a1")
	d.Send(books, "Edda", "")
	d.Send(authors, "a1", "Jane Austen")
	show(d, out)
	// Output:
	// Emma Emma by unknown
	// Edda Edda by unknown
	// Emma Emma by Jane Austen
}

// Every record has a result, whether the table has its row or not.
func ExampleStream_LeftJoinGlobal() {
	words := topology.NewTopic("words", serde.String, serde.String)
	dictionary := topology.NewTopic("dictionary", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	table := b.GlobalTable(dictionary, store.KeyValue("dictionary", serde.String, serde.String))
	b.From(words).
		LeftJoinGlobal(table,
			func(_, word string) topology.Opt[string] { return topology.Some(word) },
			func(_, word string, translated topology.Opt[string]) string { return translated.Or(word) }).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(dictionary, "leat", "Muehlgraben")
	d.Send(words, "k", "leat")
	d.Send(words, "k", "mill")
	show(d, out)
	// Output:
	// k Muehlgraben
	// k mill
}

// A processor looks into a global table whenever it wants to.
func ExampleGlobalTable_Open() {
	lines := topology.NewTopic("lines", serde.String, serde.String)
	banned := topology.NewTopic("banned", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)

	b := topology.New()
	table := b.GlobalTable(banned, store.KeyValue("banned", serde.String, serde.String))
	b.From(lines).
		Process("censor", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
			rows := table.Open(c)
			return func(r topology.Record[string, string]) error {
				if _, found, err := rows.Get(r.Value); err != nil || found {
					return err
				}
				return c.Emit(r)
			}, nil
		}).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(banned, "spam", "")
	d.Send(lines, "k", "spam")
	d.Send(lines, "k", "eggs")
	show(d, out)
	// Output:
	// k eggs
}
