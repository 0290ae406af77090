package conformance

import (
	"fmt"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

var streamJoins = streamStream(family{
	"stream-self-join": func(b *topology.Builder) {
		in := b.From(topic("in"))
		in.Join(in, window.Within(ms(300)).Grace(ms(300)), joined, concat).To(topic("out"))
	},
})

var joined = store.Join("j", serde.String, serde.String, serde.String)

// streamStream adds the joins of every kind over every window to f.
func streamStream(f family) family {
	for _, w := range [][3]int64{{500, 500, 0}, {500, 500, 800}, {0, 600, 400}, {600, 0, 400}} {
		within := window.Within(0).Before(ms(w[0])).After(ms(w[1])).Grace(ms(w[2]))
		name := func(kind string) string { return fmt.Sprintf("stream-stream-%s-b%d-a%d-g%d", kind, w[0], w[1], w[2]) }
		f[name("inner")] = func(b *topology.Builder) {
			b.From(topic("left")).Join(b.From(topic("right")), within, joined, concat).To(topic("out"))
		}
		f[name("left")] = func(b *topology.Builder) {
			b.From(topic("left")).LeftJoin(b.From(topic("right")), within, joined, leftConcat).To(topic("out"))
		}
		f[name("outer")] = func(b *topology.Builder) {
			b.From(topic("left")).OuterJoin(b.From(topic("right")), within, joined, outerConcat).To(topic("out"))
		}
	}
	return f
}
