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

// batches sends lines that are committed together, and returns what each batch brings.
func batches(d *topologytest.Driver, lines ...[]string) (out []string) {
	for _, batch := range lines {
		steps(d, batch...)
		d.Commit()
		got := ""
		for _, p := range pairs(d.Take(result)) {
			got += p + " "
		}
		out = append(out, got)
	}
	return out
}

// Both rows of a join go between two commits. Each side is emitted when the other is
// gone already, and yet the result must go: a side sees of the other what that has
// emitted. (Kafka Streams looks into its cache and leaves the row: KAFKA-4609.)
func TestCoalescedJoin(t *testing.T) {
	t.Parallel()
	for name, through := range map[string]func(topology.Table[string, string]) topology.Table[string, string]{
		"stores": func(t topology.Table[string, string]) topology.Table[string, string] { return t },
		"derived": func(t topology.Table[string, string]) topology.Table[string, string] {
			return t.MapValues(func(v string) string { return v })
		},
	} {
		b := topology.New()
		b.Coalesce()
		through(b.Table(letters, text("l"))).
			Join(through(b.Table(digits, text("d"))), func(_, v, w string) string { return v + w }).
			Stream().To(result)
		d := topologytest.New(t, b, topologytest.CommitEvery(1000))
		got := batches(d, []string{"letters k=a", "digits k=1"}, []string{"letters k=null", "digits k=null"}, []string{"digits k=2", "letters k=b"}, []string{"letters k=c"})
		t.Log(name)
		expect(t, got, "k=a1 ", "k=null ", "k=b2 ", "k=c2 ")
	}
}

// What is counted of a join is taken out again as it was put in.
func TestCoalescedJoinIsCounted(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.Coalesce()
	b.Table(letters, text("l")).
		Join(b.Table(digits, text("d")), func(_, v, w string) string { return v + w }).
		GroupBy(topology.NewRepartition("r", serde.String, serde.String), func(k, v string) (string, string) { return v, k }).
		Count(store.KeyValue("n", serde.String, serde.Int64)).
		MapValues(func(n int64) string { return string(rune('0' + n)) }).
		Stream().To(result)
	d := topologytest.New(t, b, topologytest.CommitEvery(1000))
	got := batches(d, []string{"letters k=a", "digits k=1"}, []string{"letters k=b", "digits k=2"}, []string{"letters k=null"})
	expect(t, got, "a1=1 ", "a1=0 b1=0 b2=1 ", "b2=0 ")
}

// A row that comes and goes between two commits was never there for a foreign-key join.
func TestCoalescedForeignJoin(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.Table(letters, text("l")).
		LeftJoinForeign(b.Table(digits, text("d"), topology.Coalesced()), topology.NewSubscription("j"),
			func(_, v string) topology.Opt[string] { return topology.Some(v) },
			func(k, v string, row topology.Opt[string]) string { return v + row.Or("?") }).
		Materialize(text("m")).
		Stream().To(result)
	d := topologytest.New(t, b, topologytest.CommitEvery(1000))
	got := batches(d, []string{"digits x=1", "letters k=x", "digits x=null"}, []string{"digits x=2"})
	expect(t, got, "k=x? ", "k=x2 ")
}

// A stream meets the rows as they are, whenever they are emitted.
func TestCoalescedLookup(t *testing.T) {
	t.Parallel()
	b := topology.New()
	rows := b.Table(letters, text("l"), topology.Coalesced())
	b.From(ask).JoinTable(rows, func(_, v, row string) string { return v + row }).To(result)
	d := topologytest.New(t, b, topologytest.CommitEvery(1000))
	expect(t, batches(d, []string{"letters k=a", "ask k=?", "letters k=b", "ask k=!"}), "k=?a k=!b ")
}

// Coalesce is for the tables that were declared before it, too, whatever keeps them. What
// comes after Build is for the next one.
func TestCoalesceIsForEveryTable(t *testing.T) {
	t.Parallel()
	latest := func(_, v string) string { return v }
	for name, declare := range map[string]func(*topology.Builder) topology.Stream[string, string]{
		"table": func(b *topology.Builder) topology.Stream[string, string] { return b.Table(letters, text("l")).Stream() },
		"join": func(b *topology.Builder) topology.Stream[string, string] {
			one := b.Table(letters, text("l"))
			return one.Join(one, func(_, v, _ string) string { return v }).Stream()
		},
		"windows": func(b *topology.Builder) topology.Stream[string, string] {
			return unwindowed(topology.Windowed(b.From(letters), window.Tumbling(time.Hour)).Reduce(store.Window("w", serde.String, serde.String), latest))
		},
		"sessions": func(b *topology.Builder) topology.Stream[string, string] {
			return unwindowed(topology.Sessions(b.From(letters), window.Sessions(time.Hour)).Reduce(store.Session("s", serde.String, serde.String), latest))
		},
	} {
		run := func(when string) string {
			b := topology.New()
			if when == "first" {
				b.Coalesce()
			}
			declare(b).To(result)
			if when == "last" {
				b.Coalesce()
			}
			d := topologytest.New(t, b, topologytest.CommitEvery(1000))
			if when == "too late" {
				b.Coalesce()
				d.Restart(topologytest.KeepState)
			}
			return batches(d, []string{"letters k=a", "letters k=b", "letters k=c"})[0]
		}
		never, first := run("never"), run("first")
		if last := run("last"); never == first || first != last {
			t.Errorf("%s: never %s, first %s, last %s", name, never, first, last)
		}
		if late := run("too late"); late != never {
			t.Errorf("%s: never %s, after Build %s", name, never, late)
		}
	}
}

func unwindowed(t topology.Table[window.Windowed[string], string]) topology.Stream[string, string] {
	return t.Stream().Map(func(k window.Windowed[string], v string) (string, string) { return k.Key, v })
}
