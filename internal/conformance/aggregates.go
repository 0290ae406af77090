package conformance

import (
	"strconv"

	"github.com/leatstream/leat/pkg/topology"
)

var aggregates = family{
	"count-by-key": func(b *topology.Builder) {
		printed(b.From(topic("in")).Count(numbers("s"))).To(topic("out"))
	},
	"count-by-value": func(b *topology.Builder) {
		printed(b.From(topic("in")).KeyBy(via("r"), func(_, v string) string { return v }).Count(numbers("s"))).To(topic("out"))
	},
	"reduce-concat": func(b *topology.Builder) {
		b.From(topic("in")).Reduce(texts("s"), func(acc, v string) string { return acc + "," + v }).Stream().To(topic("out"))
	},
	"aggregate-null-resets": func(b *topology.Builder) {
		b.From(topic("in")).Fold(texts("s"), func(_, v string, old topology.Opt[string]) topology.Opt[string] {
			if v == "v0" {
				return topology.None[string]()
			}
			return topology.Some(old.Or("") + v[1:] + ";")
		}).Stream().To(topic("out"))
	},
	"cogroup": func(b *topology.Builder) {
		b.From(topic("left")).Cogroup(appending("L")).
			And(b.From(topic("right")), appending("R")).
			Aggregate(texts("s")).Stream().To(topic("out"))
	},
}

func appending(mark string) func(acc, k, v string) string {
	return func(acc, _, v string) string { return acc + mark + v[1:] }
}

// printed is a table of numbers as a stream of their digits.
func printed(t topology.Table[string, int64]) topology.Stream[string, string] {
	return t.Stream().MapValues(func(n int64) string { return strconv.FormatInt(n, 10) })
}
