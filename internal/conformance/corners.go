package conformance

import (
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// moved is a topic behind a repartition.
func moved(b *topology.Builder, name string) topology.Stream[string, string] {
	return b.From(topic(name)).Repartition(via(name + "-r"))
}

var relaxed = family{
	"nulls-repartition": func(b *topology.Builder) {
		m := moved(b, "left")
		m.LeftJoinTable(table(b, "table"), leftConcat).To(topic("out"))
		m.MapValues(func(v string) string { return v + "!" }).To(topic("outA"))
		b.From(topic("left")).Repartition(via("other")).To(topic("outB"))
	},
	"nulls-inner": func(b *topology.Builder) {
		moved(b, "left").JoinTable(table(b, "table"), concat).To(topic("out"))
	},
	"nulls-twice": func(b *topology.Builder) {
		moved(b, "left").MapValues(func(v string) string { return v + "'" }).Repartition(via("again")).
			LeftJoinTable(table(b, "table"), leftConcat).To(topic("out"))
	},
	"nulls-count": func(b *topology.Builder) {
		printed(moved(b, "left").Count(numbers("s"))).LeftJoinTable(table(b, "table"), leftConcat).To(topic("out"))
	},
	"nulls-global": func(b *topology.Builder) {
		g := b.GlobalTable(topic("table"), texts("g"))
		moved(b, "left").Process("keys", func(c *topology.Context[string, keyed]) (topology.Handler[string, string], error) {
			return func(r record) error {
				return c.Emit(topology.Record[string, keyed]{Key: r.Key, NullKey: r.NullKey, Value: keyed{key(r), r.Value}, NullValue: r.NullValue, Time: r.Time})
			}, nil
		}).LeftJoinGlobal(g,
			func(_ string, v keyed) topology.Opt[string] { return v.key },
			func(k string, v keyed, row topology.Opt[string]) string { return leftConcat(k, v.value, row) }).To(topic("out"))
	},
	"nulls-stream-inner": func(b *topology.Builder) {
		moved(b, "left").Join(moved(b, "right"), near, joined, concat).To(topic("out"))
	},
	"nulls-stream-left": func(b *topology.Builder) {
		moved(b, "left").LeftJoin(moved(b, "right"), near, joined, leftConcat).To(topic("out"))
	},
	"nulls-stream-outer": func(b *topology.Builder) {
		moved(b, "left").OuterJoin(moved(b, "right"), near, joined, outerConcat).To(topic("out"))
	},
}

// keyed is a value with the key that it came with.
type keyed struct {
	key   topology.Opt[string]
	value string
}

func key(r record) topology.Opt[string] {
	if r.NullKey {
		return topology.None[string]()
	}
	return topology.Some(r.Key)
}

// begun is where aggregates begin.
func begun() string { return "in" }

func final(s string) string { return s[len(s)-1:] }

// lasting keeps the last letter of what there was.
func lasting(mark string) func(acc, k, v string) string {
	return func(acc, _, v string) string { return final(acc) + mark + v }
}

func tail(s string) string { return s[max(0, len(s)-24):] }

// anew groups a table by the last letters of its values, and tells what comes and goes.
func anew(t topology.Table[string, string]) {
	told(t.GroupBy(via("g"), func(_, v string) (string, string) { return final(v), v }))
}

func anewByKey(t topology.Table[window.Windowed[string], string]) {
	told(t.GroupBy(via("g"), func(w window.Windowed[string], v string) (string, string) { return w.Key, v }))
}

func told(t topology.Regrouped[string, string]) {
	t.Aggregate(texts("g"),
		func(acc, _, v string) string { return tail(acc + "+" + v) },
		func(acc, _, v string) string { return tail(acc + "-" + v) }).Stream().To(topic("out"))
}

var initials = family{
	"initial-group": func(b *topology.Builder) {
		anew(b.From(topic("in")).AggregateFrom(texts("s"), begun, lasting(".")))
	},
	"initial-filter": func(b *topology.Builder) {
		b.From(topic("in")).AggregateFrom(texts("s"), begun, lasting(".")).
			Filter(func(_, v string) bool { return final(v) != "0" }).Stream().To(topic("out"))
	},
	"initial-fk-inner": func(b *topology.Builder) {
		b.From(topic("in")).AggregateFrom(texts("s"), begun, lasting(".")).
			JoinForeign(table(b, "table"), topology.NewSubscription("fk"), byFinal, concat).Stream().To(topic("out"))
	},
	"initial-fk-left": func(b *topology.Builder) {
		b.From(topic("in")).AggregateFrom(texts("s"), begun, lasting(".")).
			LeftJoinForeign(table(b, "table"), topology.NewSubscription("fk"), byFinal, leftConcat).Stream().To(topic("out"))
	},
	"initial-tumbling": func(b *topology.Builder) {
		anewByKey(topology.Windowed(b.From(topic("in")), window.Tumbling(ms(1000)).Grace(ms(500))).
			AggregateFrom(store.Window("s", serde.String, serde.String), begun, lasting(".")))
	},
	"initial-sliding": func(b *topology.Builder) {
		anewByKey(topology.Windowed(b.From(topic("in")), window.SlidingBy(ms(400)).Grace(ms(500))).
			AggregateFrom(store.Window("s", serde.String, serde.String), begun, lasting(".")))
	},
	"initial-session": func(b *topology.Builder) {
		anewByKey(topology.Sessions(b.From(topic("in")), window.Sessions(ms(300)).Grace(ms(300))).
			Fold(store.Session("s", serde.String, serde.String),
				func(_ string, v, old topology.Opt[string]) topology.Opt[string] {
					return topology.Some(final(old.Or(begun())) + "." + v.Or("null"))
				},
				func(_ string, a, b topology.Opt[string]) topology.Opt[string] {
					return topology.Some(a.Or(begun()) + "|" + final(b.Or("")))
				}))
	},
	"initial-cogroup": func(b *topology.Builder) {
		anew(b.From(topic("left")).Cogroup(lasting("L")).And(b.From(topic("right")), lasting("R")).AggregateFrom(texts("s"), begun))
	},
	"initial-cogroup-tumbling": func(b *topology.Builder) {
		g := b.From(topic("left")).Cogroup(lasting("L")).And(b.From(topic("right")), lasting("R"))
		anewByKey(topology.WindowedCogroup(g, window.Tumbling(ms(1000)).Grace(ms(500))).
			AggregateFrom(store.Window("s", serde.String, serde.String), begun))
	},
	"initial-deletes": func(b *topology.Builder) {
		anew(b.From(topic("in")).CogroupFold(func(_, v string, _ topology.Opt[string]) topology.Opt[string] {
			if v == "v0" {
				return topology.None[string]()
			}
			return topology.Some(v)
		}).AggregateFrom(texts("s"), begun))
	},
	"initial-regroup": func(b *topology.Builder) {
		anew(table(b, "in").GroupBy(via("r"), func(k, v string) (string, string) { return v, k }).
			Fold(texts("s"),
				func(_, v string, acc topology.Opt[string]) topology.Opt[string] {
					return topology.Some(final(acc.Or(begun())) + "+" + v)
				},
				func(_, v, acc string) topology.Opt[string] { return topology.Some(final(acc) + "-" + v) }))
	},
}

func byFinal(_, v string) topology.Opt[string] { return topology.Some(final(v)) }

var wholes = family{
	"global-store": func(b *topology.Builder) {
		g := b.GlobalStore(topic("global"), texts("gs"), func(rows *store.View[string, string], r record) error {
			if r.NullValue {
				return nil
			}
			row := r.Value[:1]
			old, _, err := rows.Get(row)
			switch {
			case err != nil:
				return err
			case final(r.Value) == "9":
				return rows.Delete(row)
			}
			return rows.Put(row, tail(old+r.Key+r.Value[1:2]))
		})
		b.From(topic("stream")).LeftJoinGlobal(g,
			func(_, v string) topology.Opt[string] { return topology.Some(v) },
			func(_, v string, row topology.Opt[string]) string { return v + "=" + row.Or("null") }).To(topic("out"))
	},
}
