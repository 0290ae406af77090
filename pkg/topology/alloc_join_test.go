package topology_test

import (
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// joinOperators are as operators. Both sides read the one input, so that each record finds what it is joined with. A
// join of streams reads ranges of two stores, which cost an iterator each.
var joinOperators = []struct {
	name   string
	allocs float64
	build  func(*topology.Builder)
}{
	{"table-join-table", 1, func(b *topology.Builder) {
		left := b.Table(benchIn, store.KeyValue("left", serde.String, serde.Int64))
		right := left.MapValues(func(v int64) int64 { return 2 * v }).Materialize(store.KeyValue("right", serde.String, serde.Int64))
		left.Join(right, func(_ string, l, r int64) int64 { return l + r }).Stream().To(benchOut)
	}},
	{"join-stream", 7.2, func(b *topology.Builder) {
		in := b.From(benchIn)
		stores := store.Join("both", serde.String, serde.Int64, serde.Int64)
		in.Join(in.Filter(func(string, int64) bool { return true }), window.Within(0), stores, func(_ string, l, r int64) int64 { return l + r }).To(benchOut)
	}},
}

func TestJoinAllocations(t *testing.T) {
	for _, op := range joinOperators {
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

func BenchmarkJoins(b *testing.B) {
	for _, op := range joinOperators {
		b.Run(op.name, func(b *testing.B) { perRecord(b, op.build) })
	}
}
