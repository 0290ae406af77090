package topology_test

import (
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// windowOperators are as operators; a commit adds a little. What looks around a record in
// its store pays for the iterator of its engine, three allocations in memory.
var windowOperators = []struct {
	name   string
	allocs float64
	build  func(*topology.Builder)
}{
	{"tumbling-count", 1.02, func(b *topology.Builder) {
		counts := store.Window("n", serde.String, serde.Int64)
		topology.Windowed(b.From(benchIn), window.Tumbling(time.Minute).Grace(time.Hour)).Count(counts).Stream()
	}},
	{"hopping-count-of-4", 1.02, func(b *topology.Builder) {
		counts := store.Window("n", serde.String, serde.Int64)
		topology.Windowed(b.From(benchIn), window.Hopping(time.Minute, 15*time.Second).Grace(time.Hour)).Count(counts).Stream()
	}},
	{"tumbling-count-on-close", 1.04, func(b *topology.Builder) {
		counts := store.Window("n", serde.String, serde.Int64)
		topology.Windowed(b.From(benchIn), window.Tumbling(time.Minute).Grace(time.Hour)).OnClose().Count(counts).Stream()
	}},
	{"session-count", 4.02, func(b *topology.Builder) {
		counts := store.Session("n", serde.String, serde.Int64)
		topology.Sessions(b.From(benchIn), window.Sessions(time.Minute).Grace(time.Hour)).Count(counts).Stream()
	}},
	{"sliding-count", 4.02, func(b *topology.Builder) {
		counts := store.Window("n", serde.String, serde.Int64)
		topology.Windowed(b.From(benchIn), window.SlidingBy(100*time.Millisecond).Grace(time.Hour)).Count(counts).Stream()
	}},
	{"suppress", 1.1, func(b *topology.Builder) {
		held := store.Buffer("held", serde.String, serde.Int64)
		b.From(benchIn).Count(store.KeyValue("n", serde.String, serde.Int64)).Suppress(topology.UntilTimeLimit(time.Hour, held)).Stream()
	}},
}

func TestWindowAllocations(t *testing.T) {
	for _, op := range windowOperators {
		r := newRig(t, op.build, 100)
		for range 5 { // warm up
			r.thousand()
		}
		got := testing.AllocsPerRun(20, r.thousand) / 1000
		if got > op.allocs+0.01 {
			t.Errorf("%s: %.3f allocations per record, want %v", op.name, got, op.allocs)
		}
	}
}

func BenchmarkWindows(b *testing.B) {
	for _, op := range windowOperators {
		b.Run(op.name, func(b *testing.B) { perRecord(b, op.build) })
	}
}
