package topology_test

import (
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// A partitioner places, copies and drops records, or leaves them to their key.
func TestPartitioner(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)
	placed := out.PartitionedBy(func(r topology.Record[string, string], n int32) topology.Opt[[]int32] {
		switch r.Value {
		case "last":
			return topology.Some([]int32{n - 1})
		case "all":
			return topology.Some([]int32{0, 1, 2})
		case "none":
			return topology.Some([]int32{})
		case "wrong":
			return topology.Some([]int32{n})
		}
		return topology.None[[]int32]()
	})
	b := topology.New()
	b.From(in).To(placed)
	var failed error
	d := topologytest.New(t, b, topologytest.Partitions(3), topologytest.OnError(func(err error) { failed = err }))
	for _, v := range []string{"last", "none", "all", "by key"} {
		d.Send(in, "k", v)
	}
	expect(t, pairs(d.Take(out)), "k=all", "k=all", "k=last", "k=all", "k=by key") // one partition after the other
	if n := d.Dropped()["partitioner"]; n != 1 || failed != nil {
		t.Errorf("%d records dropped, %v", n, failed)
	}
	if d.Send(in, "k", "wrong"); failed == nil {
		t.Error("a partition that does not exist is no error")
	}
}

// A repartition topic may be partitioned by something else than the whole key, as
// long as equal keys meet.
func TestRepartitionPartitioner(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.String)
	n := store.KeyValue("n", serde.String, serde.Int64)
	via := topology.NewRepartition("via", serde.String, serde.String).
		PartitionedBy(func(r topology.Record[string, string], _ int32) topology.Opt[[]int32] {
			return topology.Some([]int32{int32(r.Key[0] - '0')})
		})
	b := topology.New()
	b.From(in).KeyBy(via, func(_, v string) string { return v }).Count(n)
	d := topologytest.New(t, b, topologytest.Partitions(2))
	d.Send(in, "", "1-a")
	d.Send(in, "", "0-a")
	for p, key := range []string{"0-a", "1-a"} {
		if got, _, err := n.Open(d.Partition(int32(p))).Get(key); got != 1 || err != nil {
			t.Errorf("partition %d has %s %d times, %v", p, key, got, err)
		}
	}
}
