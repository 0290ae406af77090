package topology_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

var (
	benchIn  = topology.NewTopic("in", serde.String, serde.Int64)
	benchOut = topology.NewTopic("out", serde.String, serde.Int64)
)

// operators are the hot paths, with the allocations a record may cost: one for the
// key, which becomes a Go string, and nothing else. Coalescing reads each changed key once more at the commit.
var operators = []struct {
	name   string
	allocs float64
	build  func(*topology.Builder)
}{
	{"copy", 1, func(b *topology.Builder) { b.From(benchIn).To(benchOut) }},
	{"filter", 1, func(b *topology.Builder) {
		b.From(benchIn).Filter(func(_ string, v int64) bool { return v >= 0 }).To(benchOut)
	}},
	{"map", 1, func(b *topology.Builder) {
		b.From(benchIn).Map(func(k string, v int64) (string, int64) { return k, v + 1 }).To(benchOut)
	}},
	{"flat-map-values", 1, func(b *topology.Builder) {
		two := make([]int64, 2)
		b.From(benchIn).FlatMapValues(func(v int64) []int64 { two[0], two[1] = v, v+1; return two }).To(benchOut)
	}},
	{"branch-and-merge", 1, func(b *topology.Builder) {
		in := b.From(benchIn)
		parts := in.Branch(func(_ string, v int64) bool { return v > 7 }, func(_ string, v int64) bool { return v <= 7 })
		parts[0].Merge(parts[1]).To(benchOut)
	}},
	{"five-map-values", 1, func(b *topology.Builder) {
		inc := func(v int64) int64 { return v + 1 }
		b.From(benchIn).MapValues(inc).MapValues(inc).MapValues(inc).MapValues(inc).MapValues(inc).To(benchOut)
	}},
	{"key-by", 1, func(b *topology.Builder) {
		via := topology.NewRepartition("via", serde.Int64, serde.Int64)
		b.From(benchIn).KeyBy(via, func(_ string, v int64) int64 { return v })
	}},
	{"count", 1, func(b *topology.Builder) {
		b.From(benchIn).Count(store.KeyValue("n", serde.String, serde.Int64)).Stream().To(benchOut)
	}},
	{"count-coalesced", 1.1, func(b *topology.Builder) {
		b.From(benchIn).Count(store.KeyValue("n", serde.String, serde.Int64), topology.Coalesced()).Stream().To(benchOut)
	}},
	{"reduce", 1, func(b *topology.Builder) {
		b.From(benchIn).Reduce(store.KeyValue("n", serde.String, serde.Int64), func(acc, v int64) int64 { return acc + v }).Stream().To(benchOut)
	}},
	{"table", 1, func(b *topology.Builder) {
		b.Table(benchIn, store.KeyValue("rows", serde.String, serde.Int64)).Stream().To(benchOut)
	}},
	{"join-table", 1, func(b *topology.Builder) {
		rows := b.Table(topology.NewTopic("rows", serde.String, serde.Int64), store.KeyValue("rows", serde.String, serde.Int64))
		b.From(benchIn).LeftJoinTable(rows, func(_ string, v int64, row topology.Opt[int64]) int64 { return v + row.Or(0) }).To(benchOut)
	}},
}

// A rig runs the first task of a topology, and commits as a worker would.
type rig struct {
	tb       testing.TB
	t        *task.Task
	messages []task.Message
}

func newRig(tb testing.TB, build func(*topology.Builder), keys int) *rig {
	tb.Helper()
	b := topology.New()
	build(b)
	top, err := b.Build()
	if err != nil {
		tb.Fatal(err)
	}
	eng := memory.New()
	t, err := task.New(top.Plan().Subs[0], 0, task.Env{App: "app", MaxTaskIdle: -1}, func(s task.Store) (*state.Store, error) {
		return state.Open(eng, engine.Namespace{Store: s.Name}, s.Layout)
	})
	if err == nil {
		err = t.Resume("in", 0, offsetmeta.Metadata{})
	}
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{tb: tb, t: t}
	value, _ := serde.Int64.Append(nil, 7)
	for i := range 1000 {
		r.messages = append(r.messages, task.Message{Key: fmt.Appendf(nil, "key-%07d", i%keys), Value: value, Time: int64(i), Offset: int64(i), Epoch: -1})
	}
	return r
}

// thousand processes a thousand records and commits.
func (r *rig) thousand() { r.feed("in", r.messages) }

// feed processes records of a topic, and what has been enqueued before, and commits.
func (r *rig) feed(topic string, ms []task.Message) {
	source, _ := r.t.Source(topic)
	r.t.Enqueue(source, ms, int64(len(ms)), int64(len(ms)))
	for {
		did, err := r.t.Process()
		if err != nil {
			r.tb.Fatal(err)
		}
		if !did {
			break
		}
		r.t.TakeOutput()
	}
	if err := r.t.Flush(nil); err != nil {
		r.tb.Fatal(err)
	}
	r.t.TakeOutput()
	r.t.Commit()
}

func TestAllocations(t *testing.T) {
	for _, op := range operators {
		r := newRig(t, op.build, 100)
		r.thousand() // warm up
		r.thousand()
		got := testing.AllocsPerRun(20, r.thousand) / 1000
		if got > op.allocs+0.01 {
			t.Errorf("%s: %.3f allocations per record, want %v", op.name, got, op.allocs)
		}
	}
}

func BenchmarkOperators(b *testing.B) {
	for _, op := range operators {
		b.Run(op.name, func(b *testing.B) { perRecord(b, op.build) })
	}
}

// perRecord measures a topology on records of a thousand keys, a commit after each thousand included. It says what a
// record costs, and not what a call of the benchmark's loop does, which is a thousand of them.
func perRecord(b *testing.B, build func(*topology.Builder)) {
	r := newRig(b, build, 1000)
	for range 3 { // warm up
		r.thousand()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	for b.Loop() {
		r.thousand()
		n += 1000
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(0, "ns/op") // leaves it out
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n), "B/record")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(n), "allocs/record")
}
