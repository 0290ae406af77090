package conformance

import (
	"strconv"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// windowChains are operators behind windows, and windows behind operators.
var windowChains = family{
	"windowed-table-inner": func(b *topology.Builder) {
		windowed(countOf(b, "left", "l", tumbling(1500)).Join(countOf(b, "right", "r", tumbling(1500)),
			func(_ window.Windowed[string], l, r int64) string {
				return strconv.FormatInt(l, 10) + "+" + strconv.FormatInt(r, 10)
			})).To(topic("out"))
	},
	"windowed-table-left": func(b *topology.Builder) {
		windowed(countOf(b, "left", "l", tumbling(1500)).LeftJoin(countOf(b, "right", "r", tumbling(1500)),
			func(_ window.Windowed[string], l int64, r topology.Opt[int64]) string {
				return strconv.FormatInt(l, 10) + "+" + numberText(r)
			})).To(topic("out"))
	},
	"windowed-table-outer": func(b *topology.Builder) {
		windowed(countOf(b, "left", "l", tumbling(1500)).OuterJoin(countOf(b, "right", "r", tumbling(1500)),
			func(_ window.Windowed[string], l, r topology.Opt[int64]) string {
				return numberText(l) + "+" + numberText(r)
			})).To(topic("out"))
	},
	"windowed-filter": func(b *topology.Builder) {
		windowedCounts(countOf(b, "in", "s", tumbling(1000)).
			Filter(func(_ window.Windowed[string], n int64) bool { return n%2 == 0 }).
			MapValues(func(n int64) int64 { return n * 10 })).To(topic("out"))
	},
	"cogroup-tumbling": func(b *topology.Builder) {
		windowed(topology.WindowedCogroup(sides(b), tumbling(700)).Aggregate(windowTexts("s"))).To(topic("out"))
	},
	"cogroup-sliding": func(b *topology.Builder) {
		windowed(topology.WindowedCogroup(sides(b), window.SlidingBy(ms(300)).Grace(ms(300))).Aggregate(windowTexts("s"))).To(topic("out"))
	},
	"cogroup-session": func(b *topology.Builder) {
		windowed(topology.SessionCogroup(sides(b), window.Sessions(ms(400)).Grace(ms(500))).Aggregate(sessionTexts("s"), bar)).To(topic("out"))
	},
	"hopping-reduce": func(b *topology.Builder) {
		w := window.Hopping(ms(900), ms(300)).Grace(ms(300))
		windowed(topology.Windowed(b.From(topic("in")), w).Reduce(windowTexts("s"), plusText)).To(topic("out"))
	},
	"sliding-reduce": func(b *topology.Builder) {
		w := window.SlidingBy(ms(400)).Grace(ms(400))
		windowed(topology.Windowed(b.From(topic("in")), w).Reduce(windowTexts("s"), plusText)).To(topic("out"))
	},
	"session-reduce": func(b *topology.Builder) {
		w := window.Sessions(ms(300)).Grace(ms(600))
		windowed(topology.Sessions(b.From(topic("in")), w).Reduce(sessionTexts("s"), plusText)).To(topic("out"))
	},
	"unlimited-count": func(b *topology.Builder) {
		countOf(b, "in", "s", window.Unlimited(time.UnixMilli(12000))).Stream().
			Map(func(w window.Windowed[string], n int64) (string, string) {
				return w.Key + "@" + strconv.FormatInt(w.Start, 10), strconv.FormatInt(n, 10)
			}).To(topic("out"))
	},
	"sliding-at-epoch": func(b *topology.Builder) {
		in := topic("in").Timed(func(r topology.Record[string, string]) time.Time {
			return time.UnixMilli(max(0, r.Time.UnixMilli()-9800))
		})
		w := window.SlidingBy(ms(500)).Grace(ms(100000))
		windowed(topology.Windowed(b.From(in), w).Aggregate(windowTexts("s"), followed)).To(topic("out"))
	},
	"suppress-then-group": func(b *topology.Builder) {
		held := store.Buffer("held", serde.TimeWindowed(serde.String, ms(1000)), serde.Int64)
		sums := countOf(b, "in", "w", tumbling(500)).Suppress(topology.UntilWindowCloses(held)).
			GroupBy(topology.NewRepartition("r", serde.String, serde.Int64), func(w window.Windowed[string], n int64) (string, int64) { return w.Key, n }).
			Reduce(numbers("t"), func(a, n int64) int64 { return a + n }, func(a, n int64) int64 { return a - n })
		printed(sums).To(topic("out"))
	},
	"suppress-filtered-windows": func(b *topology.Builder) {
		held := store.Buffer("held", serde.TimeWindowed(serde.String, ms(1000)), serde.Int64)
		windowedCounts(countOf(b, "in", "w", tumbling(500)).Filter(func(_ window.Windowed[string], n int64) bool { return n > 1 }).
			Suppress(topology.UntilWindowCloses(held))).To(topic("out"))
	},
	"suppress-windowed-inner": untilBothClose(func(l, r windowCounts) topology.Table[window.Windowed[string], string] {
		return l.Join(r, func(_ window.Windowed[string], l, r int64) string {
			return strconv.FormatInt(l, 10) + "+" + strconv.FormatInt(r, 10)
		})
	}),
	"suppress-windowed-left": untilBothClose(func(l, r windowCounts) topology.Table[window.Windowed[string], string] {
		return l.LeftJoin(r, func(_ window.Windowed[string], l int64, r topology.Opt[int64]) string {
			return strconv.FormatInt(l, 10) + "+" + numberText(r)
		})
	}),
	"suppress-windowed-outer": untilBothClose(func(l, r windowCounts) topology.Table[window.Windowed[string], string] {
		return l.OuterJoin(r, twoNumbers)
	}),
	"windowed-fk-inner": func(b *topology.Builder) {
		windowed(countOf(b, "left", "w", tumbling(1000)).JoinForeign(table(b, "right"), topology.NewSubscription("fk"), keyOf,
			func(_ window.Windowed[string], n int64, v string) string { return strconv.FormatInt(n, 10) + "+" + v })).To(topic("out"))
	},
	"windowed-fk-left": func(b *topology.Builder) {
		windowed(countOf(b, "left", "w", tumbling(1000)).LeftJoinForeign(table(b, "right"), topology.NewSubscription("fk"), keyOf,
			func(_ window.Windowed[string], n int64, v topology.Opt[string]) string {
				return strconv.FormatInt(n, 10) + "+" + v.Or("null")
			})).To(topic("out"))
	},
	"fk-windowed-inner": func(b *topology.Builder) {
		table(b, "left").JoinForeign(countOf(b, "right", "w", tumbling(1000)), topology.NewSubscription("fk"), windowOf,
			func(_, v string, n int64) string { return v + "+" + strconv.FormatInt(n, 10) }).Stream().To(topic("out"))
	},
	"fk-windowed-left": func(b *topology.Builder) {
		table(b, "left").LeftJoinForeign(countOf(b, "right", "w", tumbling(1000)), topology.NewSubscription("fk"), windowOf,
			func(_, v string, n topology.Opt[int64]) string { return v + "+" + numberText(n) }).Stream().To(topic("out"))
	},
	"session-table-join": func(b *topology.Builder) {
		windowed(staysOf(b, "left", "l", 400, 800).OuterJoin(staysOf(b, "right", "r", 400, 800), twoNumbers)).To(topic("out"))
	},
	"windowed-group-sum": func(b *topology.Builder) {
		printed(countOf(b, "in", "w", window.Hopping(ms(1000), ms(500)).Grace(ms(500))).
			GroupBy(topology.NewRepartition("r", serde.String, serde.Int64), func(w window.Windowed[string], n int64) (string, int64) { return w.Key, n }).
			Reduce(numbers("t"), func(a, n int64) int64 { return a + n }, func(a, n int64) int64 { return a - n })).To(topic("out"))
	},
	"session-group-count": func(b *topology.Builder) {
		printed(staysOf(b, "in", "w", 300, 600).
			GroupBy(via("r"), func(w window.Windowed[string], n int64) (string, string) { return strconv.FormatInt(n, 10), w.Key }).
			Count(numbers("t"))).To(topic("out"))
	},
	"close-then-count": func(b *topology.Builder) {
		printed(topology.Windowed(b.From(topic("in")), window.Tumbling(ms(500)).Grace(ms(300))).OnClose().Count(windowNumbers("w")).Stream().
			Map(func(w window.Windowed[string], n int64) (string, string) { return strconv.FormatInt(n, 10), w.Key }).
			Repartition(via("r")).Count(numbers("t"))).To(topic("out"))
	},
	"cogroup-deletes": func(b *topology.Builder) { deleting(b).Aggregate(texts("s")).Stream().To(topic("out")) },
	"cogroup-window-deletes": func(b *topology.Builder) {
		windowed(topology.WindowedCogroup(deleting(b), window.Tumbling(ms(700)).Grace(ms(300))).Aggregate(windowTexts("s"))).To(topic("out"))
	},
	"cogroup-then-group": func(b *topology.Builder) {
		printed(sides(b).Aggregate(texts("s")).
			GroupBy(via("r"), func(k, v string) (string, string) { return strconv.Itoa(len(v)), k }).
			Count(numbers("t"))).To(topic("out"))
	},
}

func bar(_, a, b string) string { return a + "|" + b }

func followed(acc, _, v string) string { return acc + v }

func led(prefix string) func(acc, _, v string) string {
	return func(acc, _, v string) string { return acc + prefix + v }
}

func sides(b *topology.Builder) topology.Cogroup[string, string] {
	return b.From(topic("left")).Cogroup(led("L")).And(b.From(topic("right")), led("R"))
}

func plusText(a, b string) string { return a + b }

func tumbling(grace int64) window.Time { return window.Tumbling(ms(1000)).Grace(ms(grace)) }

func countOf(b *topology.Builder, name, st string, w window.Windows) topology.Table[window.Windowed[string], int64] {
	return topology.Windowed(b.From(topic(name)), w).Count(windowNumbers(st))
}

func numberText(n topology.Opt[int64]) string {
	if v, ok := n.Get(); ok {
		return strconv.FormatInt(v, 10)
	}
	return "null"
}

type windowCounts = topology.Table[window.Windowed[string], int64]

// untilBothClose holds the join of two counts back until their windows have closed.
func untilBothClose(join func(l, r windowCounts) topology.Table[window.Windowed[string], string]) func(*topology.Builder) {
	return func(b *topology.Builder) {
		held := store.Buffer("held", serde.TimeWindowed(serde.String, ms(1000)), serde.String)
		both := join(countOf(b, "left", "l", tumbling(500)), countOf(b, "right", "r", tumbling(1500)))
		windowed(both.Suppress(topology.UntilWindowCloses(held))).To(topic("out"))
	}
}

func twoNumbers(_ window.Windowed[string], l, r topology.Opt[int64]) string {
	return numberText(l) + "+" + numberText(r)
}

func keyOf(w window.Windowed[string], _ int64) maybe { return topology.Some(w.Key) }

// windowOf is the window of a second that a value names: a letter, and the second.
func windowOf(_, v string) topology.Opt[window.Windowed[string]] {
	at := 1000 * int64(number(v[1:]))
	return topology.Some(window.Windowed[string]{Key: v[:1], Span: window.Span{Start: at, End: at + 1000}})
}

// deleting folds two streams, of which the left one may delete.
func deleting(b *topology.Builder) topology.Cogroup[string, string] {
	return b.From(topic("left")).CogroupFold(func(_, v string, old maybe) maybe {
		if v == "x" {
			return topology.None[string]()
		}
		return topology.Some(old.Or("^") + "L" + v)
	}).AndFold(b.From(topic("right")), func(_, v string, old maybe) maybe { return topology.Some(old.Or("^") + "R" + v) })
}
