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
}

// printed is a table of numbers as a stream of their digits.
func printed(t topology.Table[string, int64]) topology.Stream[string, string] {
	return t.Stream().MapValues(func(n int64) string { return strconv.FormatInt(n, 10) })
}
