package conformance

import (
	"strings"

	"github.com/leatstream/leat/pkg/topology"
)

var stateless = family{
	"stateless-map-filter": func(b *topology.Builder) {
		b.From(topic("in")).
			Filter(func(_, v string) bool { return v != "v3" }).
			MapValues(strings.ToUpper).
			SelectKey(func(r record) string {
				if r.NullKey {
					return "null!"
				}
				return r.Key + "!"
			}).
			To(topic("out"))
	},
	"stateless-flatmap-split-merge": func(b *topology.Builder) {
		arms := b.From(topic("in")).
			FlatMap(func(k, v string, emit func(string, string)) { emit(k, v); emit(v, k) }).
			Branch(func(k, _ string) bool { return strings.HasPrefix(k, "v") })
		arms[0].To(topic("outA"))
		arms[0].Merge(arms[1].MapValues(func(v string) string { return "b:" + v })).To(topic("out"))
	},
}
