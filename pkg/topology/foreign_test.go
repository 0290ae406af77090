package topology_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

// Letters hold the key of the digit that they go with, "-" being none.
func foreignJoin(left bool) *topology.Builder {
	b := topology.New()
	key := func(_, v string) topology.Opt[string] {
		if v == "-" {
			return topology.None[string]()
		}
		return topology.Some(v)
	}
	rows, others, via := b.Table(letters, text("l")), b.Table(digits, text("d")), topology.NewSubscription("j")
	if left {
		rows.LeftJoinForeign(others, via, key, func(k, v string, row topology.Opt[string]) string { return k + v + row.Or("?") }).Stream().To(result)
	} else {
		rows.JoinForeign(others, via, key, func(k, v, row string) string { return k + v + row }).Stream().To(result)
	}
	return b
}

func TestForeignJoin(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int32{1, 3} {
		d := topologytest.New(t, foreignJoin(false), topologytest.Partitions(partitions))
		got := steps(d, "letters 1=x", "digits x=7", "letters 2=x", "digits y=8", "letters 1=y", "letters 2=-", "digits y=9", "digits x=1", "letters 1=null", "digits y=null")
		expect(t, got, "", "1=1x7", "2=2x7", "", "1=1y8", "2=null", "1=1y9", "", "1=null", "")
		if d.Dropped()["null_key"] != 1 {
			t.Error("a row without a foreign key is not counted")
		}
	}
}

func TestLeftForeignJoin(t *testing.T) {
	t.Parallel()
	d := topologytest.New(t, foreignJoin(true), topologytest.Partitions(3))
	got := steps(d, "letters 1=-", "letters 1=x", "digits x=7", "letters 1=-", "digits x=null", "letters 1=null")
	expect(t, got, "1=1-?", "1=1x?", "1=1x7", "1=1-?", "", "1=null")
}

// Subscriptions survive a restart, with local state and without.
func TestForeignJoinRestarts(t *testing.T) {
	t.Parallel()
	for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
		d := topologytest.New(t, foreignJoin(false), topologytest.Partitions(2))
		steps(d, "letters 1=x", "letters 2=x", "letters 3=y", "letters 2=y")
		d.Restart(local)
		expect(t, steps(d, "digits x=7"), "1=1x7")
	}
}

// An answer that left rows have overtaken is dropped.
func TestStaleAnswer(t *testing.T) {
	t.Parallel()
	b := topology.New()
	key := func(_, v string) topology.Opt[string] { return topology.Some(v[:1]) }
	b.Table(letters, text("l")).
		JoinForeign(b.Table(digits, text("d")), topology.NewSubscription("j"), key, func(_, v, row string) string { return v + row }).
		Stream().To(result)
	// Both letters reach the left task before any answer does.
	b.From(topology.NewTopic("both", serde.String, serde.String)).FlatMap(func(k, v string, emit func(string, string)) {
		emit(k, v+"1")
		emit(k, v+"2")
	}).To(letters)
	d := topologytest.New(t, b)
	expect(t, steps(d, "digits x=!", "both 1=x"), "", "1=x2!")
	if d.Dropped()["stale"] != 1 {
		t.Error("the answer to x1 is not counted")
	}
}

// Kafka Streams sends an empty value as no bytes, which read as null.
func TestForeignJoinWithEmptyStrings(t *testing.T) {
	t.Parallel()
	d := topologytest.New(t, foreignJoin(true))
	expect(t, steps(d, "digits =7", "letters 1=", "digits ="), "", "1=17", "1=1?")
}

// The names are the author's, and a table that cannot be sent is a mistake.
func TestSubscriptionNames(t *testing.T) {
	t.Parallel()
	b := topology.New()
	via := topology.NewSubscription("j").Topics("KTABLE-FK-1-topic", "KTABLE-FK-2-topic").Store("KTABLE-FK-STORE-3")
	key := func(_, v string) topology.Opt[string] { return topology.Some(v) }
	rows, others := b.Table(letters, text("l")), b.Table(digits, text("d"))
	rows.JoinForeign(others, via, key, func(k, v, row string) string { return k })
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<application>-KTABLE-FK-1-topic", "<application>-KTABLE-FK-2-topic", "<application>-KTABLE-FK-STORE-3-changelog"} {
		if !strings.Contains(top.Describe(), want) {
			t.Errorf("no %s in\n%s", want, top.Describe())
		}
	}
	rows.MapValues(strings.ToUpper).JoinForeign(others, topology.NewSubscription("k"), key, func(k, v, row string) string { return k })
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "Materialize it") {
		t.Errorf("rows without a serde are sent: %v", err)
	}
}

// Orders are joined with their customers, whose keys they hold.
func ExampleTable_JoinForeign() {
	type order struct {
		Customer string
		Amount   int64
	}
	orders := topology.NewTopic("orders", serde.String, serde.JSON[order]())
	customers := topology.NewTopic("customers", serde.String, serde.String)
	out := topology.NewTopic("billing", serde.String, serde.String)

	b := topology.New()
	b.Table(orders, store.KeyValue("orders", serde.String, serde.JSON[order]())).
		JoinForeign(b.Table(customers, store.KeyValue("customers", serde.String, serde.String)),
			topology.NewSubscription("billing"),
			func(_ string, o order) topology.Opt[string] { return topology.Some(o.Customer) },
			func(_ string, o order, name string) string {
				return name + " pays " + strings.Repeat("$", int(o.Amount))
			}).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(customers, "c1", "Ann")
	d.Send(orders, "o1", order{"c1", 2})
	d.Send(orders, "o2", order{"c1", 3})
	d.Send(customers, "c1", "Ann Smith")
	show(d, out)
	// Output:
	// o1 Ann pays $$
	// o2 Ann pays $$$
	// o1 Ann Smith pays $$
	// o2 Ann Smith pays $$$
}

// A right table that is partitioned by something else than the bytes of its keys is
// found where it is, and the answers find the left rows.
func TestForeignJoinPartitioner(t *testing.T) {
	t.Parallel()
	reversed := func(key string, n int32) int32 { return n - 1 - int32(key[0])%n }
	via := func(name string) topology.Repartition[string, string] {
		return topology.NewRepartition(name, serde.String, serde.String).PartitionedBy(func(r textRecord, n int32) topology.Opt[[]int32] {
			return topology.Some([]int32{reversed(r.Key, n)})
		})
	}
	b := topology.New()
	key := func(_, v string) topology.Opt[string] { return topology.Some(v) }
	b.From(letters).Repartition(via("l")).Table(text("l")).
		LeftJoinForeign(b.From(digits).Repartition(via("d")).Table(text("d")), topology.NewSubscription("j"), key,
			func(k, v string, row topology.Opt[string]) string { return k + v + row.Or("?") }, topology.RightPartitionedBy(reversed)).
		Stream().To(result)
	d := topologytest.New(t, b, topologytest.Partitions(5))
	got := steps(d, "letters 1=x", "digits x=7", "letters 2=x", "digits y=8", "letters 1=y", "digits z=3", "letters 3=z", "letters 1=null")
	expect(t, got, "1=1x?", "1=1x7", "2=2x7", "", "1=1y8", "", "3=3z3", "1=null")

	b = topology.New()
	rows := b.Table(letters, text("l"))
	rows.JoinForeign(rows, topology.NewSubscription("j"), key, func(k, v, row string) string { return k },
		topology.RightPartitionedBy(func(string, int32) int32 { return 7 })).Stream().To(result)
	var failed error
	d = topologytest.New(t, b, topologytest.Partitions(2), topologytest.OnError(func(err error) { failed = err }))
	if steps(d, "letters 1=x"); failed == nil || !strings.Contains(failed.Error(), "partition 7") {
		t.Error(failed)
	}
}

// Windowed tables are joined by foreign keys, from either side, as they are.
func TestForeignJoinOfWindows(t *testing.T) {
	t.Parallel()
	b := topology.New()
	counts := topology.Windowed(b.From(letters), window.Tumbling(ms(10))).Count(store.Window("n", serde.String, serde.Int64))
	counts.JoinForeign(b.Table(digits, text("d")), topology.NewSubscription("j"),
		func(w window.Windowed[string], _ int64) topology.Opt[string] { return topology.Some(w.Key) },
		func(w window.Windowed[string], n int64, name string) string { return fmt.Sprint(w.Span, " ", name, n) }).
		Stream().Map(func(w window.Windowed[string], v string) (string, string) { return w.Key, v }).To(result)
	stays := topology.Sessions(b.From(letters), window.Sessions(ms(10))).Count(store.Session("s", serde.String, serde.Int64))
	b.Table(topology.NewTopic("asks", serde.String, serde.String), text("a")).JoinForeign(stays, topology.NewSubscription("k"),
		func(k, _ string) topology.Opt[window.Windowed[string]] {
			return topology.Some(window.Windowed[string]{Key: k})
		},
		func(_, v string, n int64) string { return fmt.Sprint(v, n) }).
		Stream().To(result)
	d := topologytest.New(t, b, topologytest.Partitions(3))
	got := steps(d, "letters x=1", "digits x=Ann", "asks x=stay of ", "letters x=2")
	expect(t, got, "", "x=0/10 Ann1", "x=stay of 1", "x=stay of 2 x=0/10 Ann2")
}
