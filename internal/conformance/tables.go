package conformance

import (
	"strconv"
	"strings"

	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// byValue groups rows by their values.
func byValue(k, v string) (string, string) { return v, k }

var tables = family{
	"table-filter-mapvalues": func(b *topology.Builder) {
		table(b, "in").
			Filter(func(_, v string) bool { return (v[1]-'0')%2 == 1 }).Materialize(texts("f")).
			MapValues(strings.ToUpper).Materialize(texts("m")).
			Stream().To(topic("out"))
	},
	"table-groupby-aggregate": func(b *topology.Builder) {
		table(b, "in").GroupBy(via("r"), byValue).Aggregate(texts("s"),
			func(acc, _, v string) string { return acc + "+" + v },
			func(acc, _, v string) string { return acc + "-" + v }).
			Stream().To(topic("out"))
	},
	"table-groupby-count": func(b *topology.Builder) {
		printed(table(b, "in").GroupBy(via("r"), byValue).Count(numbers("s"))).To(topic("out"))
	},
	"table-groupby-reduce": func(b *topology.Builder) {
		table(b, "in").
			GroupBy(via("r"), func(_, v string) (string, string) { return v[:1], v[1:] }).
			Reduce(texts("s"), plus, minus).
			Stream().To(topic("out"))
	},
	"multi-level": func(b *topology.Builder) {
		sums := topology.Windowed(b.From(topic("in")), window.Tumbling(ms(1000)).Grace(ms(1000))).
			Fold(windowTexts("w"), func(_ string, v, old topology.Opt[string]) topology.Opt[string] {
				return topology.Some(plus(v.Or(""), old.Or("0")))
			})
		sums.GroupBy(via("r"), func(w window.Windowed[string], v string) (string, string) {
			return "w" + strconv.FormatInt(w.Start, 10), v
		}).Fold(texts("t"),
			func(_, v string, acc topology.Opt[string]) topology.Opt[string] {
				return topology.Some(plus(acc.Or("0"), v))
			},
			func(_, v, acc string) topology.Opt[string] { return topology.Some(minus(acc, v)) }).
			Stream().To(topic("out"))
	},
}

func plus(a, b string) string { return strconv.Itoa(number(a) + number(b)) }

func minus(a, b string) string { return strconv.Itoa(number(a) - number(b)) }

// number is a number in the input, which holds nothing else.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}
