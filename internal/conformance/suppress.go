package conformance

import (
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

var suppressions = family{
	"suppress-window-close": func(b *topology.Builder) {
		w := window.Tumbling(ms(1000)).Grace(ms(500))
		held := store.Buffer("held", serde.TimeWindowed(serde.String, ms(1000)), serde.Int64)
		windowedCounts(topology.Windowed(b.From(topic("in")), w).Count(windowNumbers("s")).
			Suppress(topology.UntilWindowCloses(held))).To(topic("out"))
	},
	"suppress-session-close": func(b *topology.Builder) {
		w := window.Sessions(ms(400)).Grace(ms(500))
		held := store.Buffer("held", serde.SessionWindowed(serde.String), serde.Int64)
		windowedCounts(topology.Sessions(b.From(topic("in")), w).Count(sessionNumbers("s")).
			Suppress(topology.UntilWindowCloses(held))).To(topic("out"))
	},
	"suppress-time-limit":  suppressed(1000, store.Buffer("held", serde.String, serde.Int64)),
	"suppress-max-records": suppressed(5000, store.Buffer("held", serde.String, serde.Int64).MaxRecords(2)),
}

func suppressed(limit int64, held store.BufferStore[string, int64]) func(*topology.Builder) {
	return func(b *topology.Builder) {
		printed(b.From(topic("in")).Count(numbers("s")).Suppress(topology.UntilTimeLimit(ms(limit), held))).To(topic("out"))
	}
}
