package conformance

import (
	"strings"

	"github.com/leatstream/leat/pkg/topology"
)

var tableJoins = family{
	"table-table-inner": func(b *topology.Builder) {
		table(b, "left").Join(table(b, "right"), concat).Materialize(texts("jt")).Stream().To(topic("out"))
	},
	"fk-join-inner": func(b *topology.Builder) {
		table(b, "left").JoinForeign(table(b, "right"), topology.NewSubscription("fk"), beforeBar, concat).
			Materialize(texts("fk")).Stream().To(topic("out"))
	},
	"fk-join-left": func(b *topology.Builder) {
		table(b, "left").LeftJoinForeign(table(b, "right"), topology.NewSubscription("fk"), beforeBar, leftConcat).
			Materialize(texts("fk")).Stream().To(topic("out"))
	},
	"table-table-left": func(b *topology.Builder) {
		table(b, "left").LeftJoin(table(b, "right"), leftConcat).Materialize(texts("jt")).Stream().To(topic("out"))
	},
	"table-table-outer": func(b *topology.Builder) {
		table(b, "left").OuterJoin(table(b, "right"), outerConcat).Materialize(texts("jt")).Stream().To(topic("out"))
	},
}

// beforeBar is the foreign key: what comes before the bar, nothing being none.
func beforeBar(_, v string) (fk topology.Opt[string]) {
	if key, _, _ := strings.Cut(v, "|"); key != "" {
		fk = topology.Some(key)
	}
	return fk
}
