package conformance

import (
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// empties have the empty string among their keys and values.
var empties = family{
	"empty-count": func(b *topology.Builder) {
		printed(b.From(topic("in")).Count(numbers("s"))).To(topic("out"))
	},
	"empty-table-group": func(b *topology.Builder) {
		printed(table(b, "in").GroupBy(via("r"), byValue).Count(numbers("s"))).To(topic("out"))
	},
	"empty-table-join": func(b *topology.Builder) {
		table(b, "left").OuterJoin(table(b, "right"), outerConcat).Materialize(texts("jt")).Stream().To(topic("out"))
	},
	"empty-fk-join": func(b *topology.Builder) {
		table(b, "left").LeftJoinForeign(table(b, "right"), topology.NewSubscription("fk"),
			func(_, v string) topology.Opt[string] { return topology.Some(v) }, leftConcat).
			Materialize(texts("fk")).Stream().To(topic("out"))
	},
	"empty-stream-join": func(b *topology.Builder) {
		b.From(topic("left")).OuterJoin(b.From(topic("right")), window.Within(ms(400)).Grace(ms(200)), joined, outerConcat).To(topic("out"))
	},
	"empty-session": func(b *topology.Builder) {
		windowed(topology.Sessions(b.From(topic("in")), window.Sessions(ms(300)).Grace(ms(300))).
			Aggregate(sessionTexts("s"), func(acc, _, v string) string { return acc + "(" + v + ")" }, bar)).To(topic("out"))
	},
	"empty-fk-inner": emptyForeign(innerForeign),
	"empty-fk-left":  emptyForeign(leftForeign),
	"empty-aggregates": func(b *topology.Builder) {
		b.From(topic("in")).Reduce(texts("s"), func(acc, v string) string { return acc + "." + v }).Stream().To(topic("out"))
	},
	"empty-groupby": func(b *topology.Builder) { added(table(b, "in").GroupBy(via("r"), byValue)) },
	"empty-table-table": func(b *topology.Builder) {
		table(b, "left").OuterJoin(table(b, "right"), outerConcat).Materialize(texts("s")).Stream().To(topic("out"))
	},
}

func emptyForeign(join foreign) func(*topology.Builder) {
	return func(b *topology.Builder) {
		join(table(b, "left"), table(b, "right"), whole).Stream().To(topic("out"))
	}
}
