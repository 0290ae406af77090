package conformance

import (
	"fmt"
	"strings"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// idling are scenarios whose tasks wait for an input that is empty.
var idling = family{
	"idle-stream-table": func(b *topology.Builder) {
		b.From(topic("left")).LeftJoinTable(table(b, "right"), leftConcat).To(topic("out"))
	},
	"idle-merge-reduce": func(b *topology.Builder) {
		b.From(topic("left"), topic("right")).Reduce(texts("s"), plusText).Stream().To(topic("out"))
	},
	"idle-stream-join": func(b *topology.Builder) { nearby(b).To(topic("out")) },
	"idle-table-join": func(b *topology.Builder) {
		table(b, "left").OuterJoin(table(b, "right"), outerConcat).Stream().To(topic("out"))
	},
	"idle-cogroup": func(b *topology.Builder) {
		windowed(topology.WindowedCogroup(sides(b), window.Tumbling(ms(500)).Grace(ms(200))).Aggregate(windowTexts("s"))).To(topic("out"))
	},
}

// origins are scenarios about where records come from, and when.
var origins = family{
	"metadata-direct": func(b *topology.Builder) {
		withOrigin(b.From(topic("left")).Merge(b.From(topic("right")))).To(topic("out"))
	},
	"metadata-suppress": func(b *topology.Builder) {
		held := store.Buffer("held", serde.String, serde.String)
		withOrigin(table(b, "in").Suppress(topology.UntilTimeLimit(ms(600), held)).Stream()).To(topic("out"))
	},
	"metadata-grace":       func(b *topology.Builder) { withOrigin(waited(b)).To(topic("out")) },
	"metadata-stream-join": func(b *topology.Builder) { withOrigin(nearby(b)).To(topic("out")) },
	"extractor-partition-time": func(b *topology.Builder) {
		in := topic("in").OnInvalidTime(topology.UsePartitionTime).Timed(func(r record) time.Time {
			if strings.HasSuffix(r.Value, "3") && r.Time.UnixMilli() > 13300 {
				return time.UnixMilli(-1)
			}
			return r.Time
		})
		windowedCounts(topology.Windowed(b.From(in), window.Tumbling(ms(500)).Grace(ms(500))).Count(windowNumbers("s"))).To(topic("out"))
	},
	"extractor-join": func(b *topology.Builder) {
		right := topic("right").Timed(func(r record) time.Time { return r.Time.Add(-ms(200)) })
		b.From(topic("left").Timed(byNumber)).
			LeftJoin(b.From(right), window.Within(ms(500)).Grace(ms(1000)), joined, leftConcat).To(topic("out"))
	},
	"extractor-table": func(b *topology.Builder) {
		b.From(topic("stream")).LeftJoinTable(b.Table(topic("table").Timed(byNumber), versions), leftConcat).To(topic("out"))
	},
	"extractor-count": func(b *topology.Builder) {
		windowedCounts(topology.Windowed(b.From(topic("in").Timed(byNumber)), tumbling(500)).Count(windowNumbers("s"))).To(topic("out"))
	},
	"extractor-invalid": func(b *topology.Builder) {
		in := topic("in").OnInvalidTime(topology.SkipInvalid).Timed(func(r record) time.Time {
			if strings.HasSuffix(r.Value, "3") {
				return time.UnixMilli(-1)
			}
			return r.Time
		})
		printed(b.From(in).Count(numbers("s"))).To(topic("out"))
	},
}

// byNumber is a time that the value says.
func byNumber(r record) time.Time { return time.UnixMilli(10000 + 100*int64(number(r.Value))) }

// withOrigin puts the origin of each record behind its value. Java prints a null.
func withOrigin(s topology.Stream[string, string]) topology.Stream[string, string] {
	return s.ProcessValues("origin", func(c *fixedContext) (func(fixedRecord) error, error) {
		return func(r fixedRecord) error {
			v := r.Value
			if r.NullValue {
				v = "null"
			}
			if m, ok := c.Metadata(); ok {
				return c.Emit(r.With(fmt.Sprintf("%s@%s%d/%d", v, m.Topic, m.Partition, m.Offset)))
			}
			return c.Emit(r.With(v + "@"))
		}, nil
	})
}
