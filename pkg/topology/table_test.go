package topology_test

import (
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

var (
	letters = topology.NewTopic("letters", serde.String, serde.String)
	digits  = topology.NewTopic("digits", serde.String, serde.String)
	result  = topology.NewTopic("result", serde.String, serde.String)
)

func text(name string) store.KV[string, string] {
	return store.KeyValue(name, serde.String, serde.String)
}

// steps sends "topic key=value" lines, a value of null deleting, and returns what
// each brings.
func steps(d *topologytest.Driver, lines ...string) (out []string) {
	for _, line := range lines {
		name, pair, _ := strings.Cut(line, " ")
		k, v, _ := strings.Cut(pair, "=")
		d.Pipe(topology.NewTopic(name, serde.String, serde.String), topology.Record[string, string]{Key: k, Value: v, NullValue: v == "null"})
		out = append(out, strings.Join(pairs(d.Take(result)), " "))
	}
	return out
}

// The reader of a table without a store computes its rows through all that lies
// between it and the nearest stores.
func TestRowsAreComputed(t *testing.T) {
	t.Parallel()
	b := topology.New()
	upper := b.Table(letters, text("l")).MapValues(strings.ToUpper).Filter(func(_, v string) bool { return v != "X" })
	both := upper.LeftJoin(b.Table(digits, text("d")), func(_, v string, row topology.Opt[string]) string { return v + row.Or("-") })
	ask := topology.NewTopic("ask", serde.String, serde.String)
	b.From(ask).LeftJoinTable(both, func(k, v string, row topology.Opt[string]) string { return k + v + row.Or("none") }).To(result)
	d := topologytest.New(t, b)
	got := steps(d, "ask k=?", "letters k=a", "ask k=?", "digits k=1", "ask k=?", "letters k=x", "ask k=?", "letters k=null", "ask k=?")
	expect(t, got, "k=k?none", "", "k=k?A-", "", "k=k?A1", "", "k=k?none", "", "k=k?none")
}

// A table that meets itself sees an update from both sides, the left first.
func TestSelfJoin(t *testing.T) {
	t.Parallel()
	b := topology.New()
	table := b.Table(letters, text("l"))
	table.Join(table, func(_, v, w string) string { return v + w }).Stream().To(result)
	d := topologytest.New(t, b)
	expect(t, steps(d, "letters k=a", "letters k=null"), "k=aa k=aa", "")
}

// A row that moves to another group leaves the old one first; one that stays is one
// record.
func TestRegroup(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.Table(letters, text("l")).
		GroupBy(topology.NewRepartition("r", serde.String, serde.String), func(k, v string) (string, string) { return v[:1], v[1:] }).
		Fold(text("g"),
			func(_, v string, acc topology.Opt[string]) topology.Opt[string] {
				return topology.Some(acc.Or("") + "+" + v)
			},
			func(_, v, acc string) topology.Opt[string] {
				if acc = strings.Replace(acc, "+"+v, "", 1); acc == "" {
					return topology.None[string]()
				}
				return topology.Some(acc)
			}).
		Stream().To(result)
	d := topologytest.New(t, b, topologytest.Partitions(3))
	got := steps(d, "letters 1=a1", "letters 2=a2", "letters 1=a3", "letters 2=b2", "letters 1=null")
	expect(t, got, "a=+1", "a=+1+2", "a=+2+3", "a=+3 b=+2", "a=null")
}

// An empty value is a value, in change records too.
func TestRegroupOfEmptyValues(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.Table(letters, text("l")).
		GroupBy(topology.NewRepartition("r", serde.String, serde.String), func(k, v string) (string, string) { return "", v }).
		Reduce(text("g"),
			func(acc, v string) string { return acc + "+" + v },
			func(acc, v string) string { return acc + "-" + v }).
		Stream().To(result)
	d := topologytest.New(t, b)
	expect(t, steps(d, "letters 1=", "letters 2=", "letters 1=x", "letters 2=null"), "=", "=+", "=+-+x", "=+-+x-")
}

// A table made of updates has no rows: what needs them says so.
func TestUpdatesHaveNoRows(t *testing.T) {
	t.Parallel()
	b := topology.New()
	updates := b.From(letters).Updates()
	updates.Filter(func(_, v string) bool { return v != "x" }).MapValues(strings.ToUpper).Stream().To(result)
	d := topologytest.New(t, b)
	expect(t, steps(d, "letters k=a", "letters k=x", "letters k=null"), "k=A", "k=null", "k=null")

	b = topology.New()
	updates = b.From(letters).Updates()
	join := func(_, v, w string) string { return v + w }
	b.Table(digits, text("d")).Join(updates, join)
	b.From(digits).JoinTable(updates, join)
	updates.GroupBy(topology.NewRepartition("r", serde.String, serde.String), func(k, v string) (string, string) { return v, k }).Count(store.KeyValue("n", serde.String, serde.Int64))
	_, err := b.Build()
	if err == nil || strings.Count(err.Error(), "Materialize it") != 3 {
		t.Errorf("want 3 mistakes, got %v", err)
	}
	b = topology.New()
	b.Table(digits, text("d")).Join(b.From(letters).Updates().Materialize(text("m")), join)
	if _, err := b.Build(); err != nil {
		t.Error(err)
	}
}
