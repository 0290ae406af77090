package conformance

import "github.com/leatstream/leat/pkg/topology"

var tableJoins = family{
	"table-table-inner": func(b *topology.Builder) {
		table(b, "left").Join(table(b, "right"), concat).Materialize(texts("jt")).Stream().To(topic("out"))
	},
	"table-table-left": func(b *topology.Builder) {
		table(b, "left").LeftJoin(table(b, "right"), leftConcat).Materialize(texts("jt")).Stream().To(topic("out"))
	},
	"table-table-outer": func(b *topology.Builder) {
		table(b, "left").OuterJoin(table(b, "right"), outerConcat).Materialize(texts("jt")).Stream().To(topic("out"))
	},
}
