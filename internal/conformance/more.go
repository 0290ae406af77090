package conformance

import (
	"strconv"
	"strings"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// behind are operators behind operators.
var behind = family{
	"chained-stream-table": func(b *topology.Builder) {
		one, two := table(b, "t1"), table(b, "t2")
		b.From(topic("stream")).JoinTable(one, concat).LeftJoinTable(two, leftConcat).To(topic("out"))
	},
	"table-chain-inner": func(b *topology.Builder) {
		table(b, "t1").Join(table(b, "t2"), concat).Join(table(b, "t3"), concat).Stream().To(topic("out"))
	},
	"table-chain-left": func(b *topology.Builder) {
		table(b, "t1").LeftJoin(table(b, "t2"), leftConcat).LeftJoin(table(b, "t3"), leftConcat).Stream().To(topic("out"))
	},
	"table-chain-outer": func(b *topology.Builder) {
		table(b, "t1").OuterJoin(table(b, "t2"), outerConcat).OuterJoin(table(b, "t3"), outerConcat).Stream().To(topic("out"))
	},
	"table-derived-join": func(b *topology.Builder) {
		one := table(b, "t1").Filter(odd).MapValues(strings.ToUpper)
		two := table(b, "t2").MapValues(func(v string) string { return v + "!" }).Filter(func(_, v string) bool { return v[1] != '3' })
		one.Join(two, concat).Stream().To(topic("out"))
	},
	"table-filter-bare": func(b *topology.Builder) {
		table(b, "in").Filter(odd).MapValues(strings.ToUpper).Stream().To(topic("out"))
	},
	"table-filternot-then-group": func(b *topology.Builder) {
		kept := table(b, "in").Filter(func(_, v string) bool { return !strings.HasPrefix(v, "g1") })
		printed(kept.GroupBy(via("r"), byValue).Count(numbers("s"))).To(topic("out"))
	},
	"join-then-group": func(b *topology.Builder) {
		both := table(b, "t1").LeftJoin(table(b, "t2"), leftConcat).Materialize(texts("both"))
		printed(both.GroupBy(via("r"), func(k, v string) (string, string) {
			_, right, _ := strings.Cut(v, "+")
			return right, k
		}).Count(numbers("s"))).To(topic("out"))
	},
	"fk-join-on-join": func(b *topology.Builder) {
		table(b, "left").LeftJoin(table(b, "extra"), leftConcat).Materialize(texts("le")).
			JoinForeign(table(b, "right"), topology.NewSubscription("fk"), beforeBar, concat).Materialize(texts("fk")).
			Stream().To(topic("out"))
	},
	"fk-join-then-join": func(b *topology.Builder) {
		table(b, "left").
			LeftJoinForeign(table(b, "right"), topology.NewSubscription("fk"), beforeBar, leftConcat).Materialize(texts("fk")).
			Join(table(b, "extra"), concat).Materialize(texts("je")).
			Stream().To(topic("out"))
	},
	"global-chain": func(b *topology.Builder) {
		one, two := b.GlobalTable(topic("g1"), texts("g1")), b.GlobalTable(topic("g2"), texts("g2"))
		b.From(topic("stream")).JoinGlobal(one, firstLetter, concat).
			LeftJoinGlobal(two, func(k, _ string) topology.Opt[string] { return topology.Some(k) }, leftConcat).
			To(topic("out"))
	},
	"stream-join-then-count": func(b *topology.Builder) {
		both := b.From(topic("left")).Join(b.From(topic("right")), window.Within(ms(400)).Grace(ms(200)), joined, concat)
		printed(both.Count(numbers("s"))).To(topic("out"))
	},
	"stream-join-then-table": func(b *topology.Builder) {
		rows := table(b, "table")
		b.From(topic("left")).OuterJoin(b.From(topic("right")), window.Within(ms(400)).Grace(ms(200)), joined, outerConcat).
			LeftJoinTable(rows, leftConcat).To(topic("out"))
	},
	"stream-join-chain": func(b *topology.Builder) {
		w := window.Within(ms(300)).Grace(ms(300))
		joins := func(name string) store.JoinStores[string, string, string] {
			return store.Join(name, serde.String, serde.String, serde.String)
		}
		b.From(topic("a")).Join(b.From(topic("b")), w, joins("j1"), concat).
			LeftJoin(b.From(topic("c")), w, joins("j2"), leftConcat).To(topic("out"))
	},
	"rekeyed-stream-table": func(b *topology.Builder) {
		rows := table(b, "table")
		b.From(topic("stream")).KeyBy(via("r"), func(_, v string) string { return v[:1] }).JoinTable(rows, concat).To(topic("out"))
	},
	"rekeyed-to-table": func(b *topology.Builder) {
		b.From(topic("in")).Map(func(_, v string) (string, string) { return v, v }).
			Repartition(via("r")).Table(texts("s")).Stream().To(topic("out"))
	},
	"merge-then-count": func(b *topology.Builder) {
		all := b.From(topic("a")).Merge(b.From(topic("b")).MapValues(strings.ToUpper))
		printed(all.KeyBy(via("r"), func(_, v string) string { return v }).Count(numbers("s"))).To(topic("out"))
	},
	"flatmapvalues-count": func(b *topology.Builder) {
		letters := b.From(topic("in")).FlatMapValues(func(v string) []string { return strings.Split(v, "") })
		printed(letters.KeyBy(via("r"), func(_, v string) string { return v }).Count(numbers("s"))).To(topic("out"))
	},
	"suppress-table-join": func(b *topology.Builder) {
		table(b, "t1").LeftJoin(table(b, "t2"), leftConcat).
			Suppress(topology.UntilTimeLimit(ms(800), store.Buffer("held", serde.String, serde.String))).
			Stream().To(topic("out"))
	},
	"extractor-invalid": func(b *topology.Builder) {
		in := topic("in").OnInvalidTime(topology.SkipInvalid).Timed(func(r topology.Record[string, string]) time.Time {
			if strings.HasSuffix(r.Value, "3") {
				return time.UnixMilli(-1)
			}
			return r.Time
		})
		printed(b.From(in).Count(numbers("s"))).To(topic("out"))
	},
}

func odd(_, v string) bool { return (v[1]-'0')%2 == 1 }

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
	"extractor-count": func(b *topology.Builder) {
		in := topic("in").Timed(func(r topology.Record[string, string]) time.Time {
			return time.UnixMilli(10000 + 100*int64(number(r.Value)))
		})
		windowedCounts(topology.Windowed(b.From(in), tumbling(500)).Count(windowNumbers("s"))).To(topic("out"))
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
}

func versionsOf(b *topology.Builder, name string) topology.Table[string, string] {
	return b.Table(topic(name), store.Versioned(name+"-vs", serde.String, serde.String, ms(2000)))
}

// versionChains are operators behind versioned tables.
var versionChains = family{
	"versioned-table-inner": func(b *topology.Builder) {
		versionsOf(b, "left").Join(versionsOf(b, "right"), concat).Stream().To(topic("out"))
	},
	"versioned-table-left": func(b *topology.Builder) {
		versionsOf(b, "left").LeftJoin(versionsOf(b, "right"), leftConcat).Stream().To(topic("out"))
	},
	"versioned-table-outer": func(b *topology.Builder) {
		versionsOf(b, "left").OuterJoin(versionsOf(b, "right"), outerConcat).Stream().To(topic("out"))
	},
	"versioned-group": func(b *topology.Builder) {
		printed(versionsOf(b, "in").GroupBy(via("r"), byValue).Count(numbers("s"))).To(topic("out"))
	},
	"versioned-filter": func(b *topology.Builder) {
		versionsOf(b, "in").Filter(odd).Stream().To(topic("out"))
	},
}
