package conformance

import (
	"strconv"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

var windows = family{
	"tumbling-count-grace0":    tumblingCount(0),
	"tumbling-count-grace500":  tumblingCount(500),
	"tumbling-count-grace2000": tumblingCount(2000),
	"hopping-aggregate": func(b *topology.Builder) {
		w := window.Hopping(ms(1000), ms(300)).Grace(ms(600))
		windowed(topology.Windowed(b.From(topic("in")), w).Fold(windowTexts("s"), appendText)).To(topic("out"))
	},
	"sliding-aggregate-grace0":   slidingAggregate(0),
	"sliding-aggregate-grace700": slidingAggregate(700),
	"tumbling-emit-on-close":     emitOnClose(window.Tumbling(ms(1000)).Grace(ms(500))),
	"hopping-emit-on-close":      emitOnClose(window.Hopping(ms(1000), ms(250)).Grace(ms(500))),
	"sliding-emit-on-close":      emitOnClose(window.SlidingBy(ms(500)).Grace(ms(500))),
	"session-emit-on-close": func(b *topology.Builder) {
		w := window.Sessions(ms(400)).Grace(ms(500))
		windowedCounts(topology.Sessions(b.From(topic("in")), w).OnClose().Count(sessionNumbers("s"))).To(topic("out"))
	},
	"session-aggregate-grace0":    sessionAggregate(0),
	"session-aggregate-grace1000": sessionAggregate(1000),
	"session-count": func(b *topology.Builder) {
		w := window.Sessions(ms(400)).Grace(ms(500))
		windowedCounts(topology.Sessions(b.From(topic("in")), w).Count(sessionNumbers("s"))).To(topic("out"))
	},
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func tumblingCount(grace int64) func(*topology.Builder) {
	return func(b *topology.Builder) {
		w := window.Tumbling(ms(1000)).Grace(ms(grace))
		windowedCounts(topology.Windowed(b.From(topic("in")), w).Count(windowNumbers("s"))).To(topic("out"))
	}
}

func emitOnClose(w window.Windows) func(*topology.Builder) {
	return func(b *topology.Builder) {
		windowedCounts(topology.Windowed(b.From(topic("in")), w).OnClose().Count(windowNumbers("s"))).To(topic("out"))
	}
}

func slidingAggregate(grace int64) func(*topology.Builder) {
	return func(b *topology.Builder) {
		w := window.SlidingBy(ms(500)).Grace(ms(grace))
		windowed(topology.Windowed(b.From(topic("in")), w).Fold(windowTexts("s"), appendText)).To(topic("out"))
	}
}

func sessionAggregate(grace int64) func(*topology.Builder) {
	return func(b *topology.Builder) {
		w := window.Sessions(ms(400)).Grace(ms(grace))
		st := store.Session("s", serde.String, serde.String)
		windowed(topology.Sessions(b.From(topic("in")), w).Fold(st, appendText, func(_ string, x, y topology.Opt[string]) topology.Opt[string] {
			return topology.Some(x.Or("") + "|" + y.Or(""))
		})).To(topic("out"))
	}
}

func sessionNumbers(name string) store.SessionStore[string, int64] {
	return store.Session(name, serde.String, serde.Int64)
}

func windowNumbers(name string) store.WindowStore[string, int64] {
	return store.Window(name, serde.String, serde.Int64)
}

func windowTexts(name string) store.WindowStore[string, string] {
	return store.Window(name, serde.String, serde.String)
}

// appendText is Java's agg + v, which prints a null.
func appendText(_ string, v, agg topology.Opt[string]) topology.Opt[string] {
	return topology.Some(agg.Or("") + v.Or("null"))
}

// windowed is a windowed table as a stream with printed keys.
func windowed(t topology.Table[window.Windowed[string], string]) topology.Stream[string, string] {
	return t.Stream().SelectKey(func(r topology.Record[window.Windowed[string], string]) string { return r.Key.String() })
}

func windowedCounts(t topology.Table[window.Windowed[string], int64]) topology.Stream[string, string] {
	return t.Stream().MapValues(func(n int64) string { return strconv.FormatInt(n, 10) }).
		SelectKey(func(r topology.Record[window.Windowed[string], string]) string { return r.Key.String() })
}

func sessionTexts(name string) store.SessionStore[string, string] {
	return store.Session(name, serde.String, serde.String)
}
