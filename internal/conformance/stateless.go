package conformance

import (
	"strings"

	"github.com/leatstream/leat/pkg/topology"
)

var stateless = family{
	"stateless-flatmap-split-merge": func(b *topology.Builder) {
		arms := b.From(topic("in")).
			FlatMap(func(k, v string, emit func(string, string)) { emit(k, v); emit(v, k) }).
			Branch(func(k, _ string) bool { return strings.HasPrefix(k, "v") })
		arms[0].To(topic("outA"))
		arms[0].Merge(arms[1].MapValues(func(v string) string { return "b:" + v })).To(topic("out"))
	},
}
