package conformance

import (
	"strconv"
	"strings"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// headed are scenarios whose records have headers.
var headed = family{
	"headers-stateless": func(b *topology.Builder) {
		s := b.From(topic("in")).Filter(func(_, v string) bool { return !strings.HasSuffix(v, "3") })
		s.FlatMapValues(func(v string) []string { return []string{v, v + "'"} }).
			Merge(s.MapValues(strings.ToUpper)).
			SelectKey(func(r record) string { return r.Value }).To(topic("out"))
	},
	"headers-aggregate": func(b *topology.Builder) {
		b.From(topic("in")).Aggregate(texts("s"), followed).Stream().To(topic("out"))
	},
	"headers-repartition": func(b *topology.Builder) {
		printed(b.From(topic("in")).KeyBy(via("r"), func(_, v string) string { return v }).Count(numbers("s"))).To(topic("out"))
	},
	"headers-table": func(b *topology.Builder) {
		table(b, "in").Filter(odd).MapValues(strings.ToUpper).Stream().To(topic("out"))
	},
	"headers-group": func(b *topology.Builder) {
		printed(table(b, "in").GroupBy(via("r"), byValue).Count(numbers("s"))).To(topic("out"))
	},
	"headers-cogroup": func(b *topology.Builder) { sides(b).Aggregate(texts("s")).Stream().To(topic("out")) },
	"headers-table-inner": func(b *topology.Builder) {
		table(b, "left").Join(table(b, "right"), concat).Stream().To(topic("out"))
	},
	"headers-table-left": func(b *topology.Builder) {
		table(b, "left").LeftJoin(table(b, "right"), leftConcat).Stream().To(topic("out"))
	},
	"headers-table-outer": func(b *topology.Builder) {
		table(b, "left").OuterJoin(table(b, "right"), outerConcat).Stream().To(topic("out"))
	},
	"headers-stream-inner": func(b *topology.Builder) {
		b.From(topic("left")).Join(b.From(topic("right")), near, joined, concat).To(topic("out"))
	},
	"headers-stream-left": func(b *topology.Builder) {
		b.From(topic("left")).LeftJoin(b.From(topic("right")), near, joined, leftConcat).To(topic("out"))
	},
	"headers-stream-outer": func(b *topology.Builder) { nearby(b).To(topic("out")) },
	"headers-stream-table-inner": func(b *topology.Builder) {
		b.From(topic("left")).JoinTable(table(b, "right"), concat).To(topic("out"))
	},
	"headers-stream-table-left": func(b *topology.Builder) {
		b.From(topic("left")).LeftJoinTable(table(b, "right"), leftConcat).To(topic("out"))
	},
	"headers-grace-inner": func(b *topology.Builder) {
		b.From(topic("left")).JoinTable(versionsOf(b, "right"), concat, topology.Grace(ms(500), waiting)).To(topic("out"))
	},
	"headers-grace-left": func(b *topology.Builder) { waited(b).To(topic("out")) },
	"headers-global-inner": func(b *topology.Builder) {
		b.From(topic("left")).JoinGlobal(b.GlobalTable(topic("right"), texts("g")), firstLetter, concat).To(topic("out"))
	},
	"headers-global-left": func(b *topology.Builder) {
		b.From(topic("left")).LeftJoinGlobal(b.GlobalTable(topic("right"), texts("g")), firstLetter, leftConcat).To(topic("out"))
	},
	"headers-fk-inner": func(b *topology.Builder) {
		innerForeign(table(b, "left"), table(b, "right"), beforeBar).Stream().To(topic("out"))
	},
	"headers-fk-left": func(b *topology.Builder) {
		leftForeign(table(b, "left"), table(b, "right"), beforeBar).Stream().To(topic("out"))
	},
	"headers-hopping": func(b *topology.Builder) {
		windowedCounts(countOf(b, "in", "s", window.Hopping(ms(900), ms(300)).Grace(ms(300)))).To(topic("out"))
	},
	"headers-sliding": func(b *topology.Builder) {
		windowedCounts(countOf(b, "in", "s", window.SlidingBy(ms(400)).Grace(ms(400)))).To(topic("out"))
	},
	"headers-session": func(b *topology.Builder) { windowedCounts(staysOf(b, "in", "s", 300, 600)).To(topic("out")) },
	"headers-tumbling-on-close": func(b *topology.Builder) {
		windowedCounts(topology.Windowed(b.From(topic("in")), window.Tumbling(ms(500)).Grace(ms(300))).OnClose().Count(windowNumbers("s"))).To(topic("out"))
	},
	"headers-session-on-close": func(b *topology.Builder) {
		windowedCounts(topology.Sessions(b.From(topic("in")), window.Sessions(ms(300)).Grace(ms(300))).OnClose().Count(sessionNumbers("s"))).To(topic("out"))
	},
	"headers-suppress-time": suppressed(800, store.Buffer("held", serde.String, serde.Int64)),
	"headers-suppress-close": func(b *topology.Builder) {
		held := store.Buffer("held", serde.TimeWindowed(serde.String, ms(1000)), serde.Int64)
		windowedCounts(countOf(b, "in", "w", tumbling(300)).Suppress(topology.UntilWindowCloses(held))).To(topic("out"))
	},
	"headers-processor": func(b *topology.Builder) {
		b.From(topic("in")).Process("seen", func(c *context) (topology.Handler[string, string], error) {
			return func(r record) error {
				seen := topology.Header{Key: "seen", Value: []byte(strconv.Itoa(len(r.Headers)))}
				r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], seen)
				return c.Emit(r)
			}, nil
		}).To(topic("out"))
	},
}

var near = window.Within(ms(300)).Grace(ms(200))

func nearby(b *topology.Builder) topology.Stream[string, string] {
	return b.From(topic("left")).OuterJoin(b.From(topic("right")), near, joined, outerConcat)
}

func waited(b *topology.Builder) topology.Stream[string, string] {
	return b.From(topic("left")).LeftJoinTable(versionsOf(b, "right"), leftConcat, topology.Grace(ms(500), waiting))
}

func staysOf(b *topology.Builder, name, st string, gap, grace int64) topology.Table[window.Windowed[string], int64] {
	return topology.Sessions(b.From(topic(name)), window.Sessions(ms(gap)).Grace(ms(grace))).Count(sessionNumbers(st))
}
