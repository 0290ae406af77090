package main

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// BenchmarkQueries is what an event costs a query, encoding and the driver's topics
// included.
func BenchmarkQueries(b *testing.B) {
	for _, query := range slices.Sorted(maps.Keys(queries)) {
		b.Run(query, func(b *testing.B) {
			builder := topology.New()
			queries[query](builder)
			d := &day{d: topologytest.New(b, builder, topologytest.StartAt(opening), topologytest.CommitEvery(10_000))}
			g := NewGenerator(1, opening, time.Millisecond)
			b.ReportAllocs()
			for b.Loop() {
				d.send(query, g.Next())
			}
		})
	}
}
