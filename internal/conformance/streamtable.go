package conformance

import (
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

var versions = store.Versioned("vt", serde.String, serde.String, ms(2000))

var waiting = store.Queue("jn", serde.String, serde.String)

var streamTables = family{
	"stream-to-table": func(b *topology.Builder) {
		b.From(topic("in")).Table(texts("s")).Stream().To(topic("out"))
	},
	"stream-versioned-table-inner": func(b *topology.Builder) {
		rows := b.Table(topic("table"), versions)
		b.From(topic("stream")).JoinTable(rows, concat).To(topic("out"))
	},
	"stream-versioned-table-left": func(b *topology.Builder) {
		rows := b.Table(topic("table"), versions)
		b.From(topic("stream")).LeftJoinTable(rows, leftConcat).To(topic("out"))
	},
	"stream-versioned-table-grace-inner": func(b *topology.Builder) {
		rows := b.Table(topic("table"), versions)
		b.From(topic("stream")).JoinTable(rows, concat, topology.Grace(ms(500), waiting)).To(topic("out"))
	},
	"stream-versioned-table-grace-left": func(b *topology.Builder) {
		rows := b.Table(topic("table"), versions)
		b.From(topic("stream")).LeftJoinTable(rows, leftConcat, topology.Grace(ms(500), waiting)).To(topic("out"))
	},
	"stream-table-inner": func(b *topology.Builder) {
		rows := table(b, "table")
		b.From(topic("stream")).JoinTable(rows, concat).To(topic("out"))
	},
	"stream-table-left": func(b *topology.Builder) {
		rows := table(b, "table")
		b.From(topic("stream")).LeftJoinTable(rows, leftConcat).To(topic("out"))
	},
	"stream-globaltable-inner": func(b *topology.Builder) {
		rows := b.GlobalTable(topic("global"), texts("global"))
		b.From(topic("stream")).JoinGlobal(rows, firstLetter, concat).To(topic("out"))
	},
	"stream-globaltable-left": func(b *topology.Builder) {
		rows := b.GlobalTable(topic("global"), texts("global"))
		b.From(topic("stream")).LeftJoinGlobal(rows, firstLetter, leftConcat).To(topic("out"))
	},
}

func firstLetter(_, v string) topology.Opt[string] { return topology.Some(v[:1]) }
