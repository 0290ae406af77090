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

// outerJoins are joins of streams that emit what finds no partner, too: that is a second entry for a record, and a walk
// over those of both sides whenever time moves. Half of the records find a partner.
var outerJoins = []struct {
	name   string
	allocs float64
	build  func(*topology.Builder)
}{
	{"left-join-stream", 10.6, func(b *topology.Builder) {
		b.From(benchIn).LeftJoin(b.From(benchRight), window.Within(ms(1)), benchJoin, func(_ string, l int64, r topology.Opt[int64]) int64 { return l + r.Or(0) }).To(benchOut)
	}},
	{"outer-join-stream", 16.1, func(b *topology.Builder) {
		b.From(benchIn).OuterJoin(b.From(benchRight), window.Within(ms(1)), benchJoin, func(_ string, l, r topology.Opt[int64]) int64 { return l.Or(0) + r.Or(0) }).To(benchOut)
	}},
}

var (
	benchRight = topology.NewTopic("right", serde.String, serde.Int64)
	benchJoin  = store.Join("j", serde.String, serde.Int64, serde.Int64)
)

func TestOuterJoinAllocations(t *testing.T) {
	for _, op := range outerJoins {
		r, at := newRig(t, op.build, 100), int64(0)
		for range 5 { // warm up
			r.sides(&at)
		}
		got := testing.AllocsPerRun(20, func() { r.sides(&at) }) / 1000
		if got > op.allocs+0.01 {
			t.Errorf("%s: %.3f allocations per record, want %v", op.name, got, op.allocs)
		}
	}
}

// sides processes records of both sides of a join, 500 and 500, in the order of time from now on, and commits.
func (r *rig) sides(now *int64) {
	const half = 500
	for i := range r.messages {
		m := &r.messages[i]
		m.Time = *now + int64(4*(i%half)+i/half)
		if i >= half && i%2 == 0 {
			m.Time += 2 // too far from the left one
		}
	}
	*now += 4 * half
	right, _ := r.t.Source("right")
	r.t.Enqueue(right, r.messages[half:], half, half)
	r.feed("in", r.messages[:half])
}
