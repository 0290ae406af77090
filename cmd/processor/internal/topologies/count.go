package topologies

import (
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

var count = Topology{
	Name:        "count",
	Description: "records of any value -> how many there were of each key; key: a string, value: int64",
	Topics:      []Topic{{"input", "events", Read}, {"output", "event-counts", Written}},
	builder:     buildCount,
}

func buildCount(topics map[string]string) *topology.Builder {
	events := topology.NewTopic(topics["input"], serde.String, serde.Bytes)
	counts := store.KeyValue("counts", serde.String, serde.Int64)
	output := topology.NewTopic(topics["output"], serde.String, serde.Int64)

	b := topology.New()
	b.From(events).Count(counts).Stream().To(output)
	return b
}
