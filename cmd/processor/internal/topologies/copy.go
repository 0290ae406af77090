package topologies

import (
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
)

var passOn = Topology{
	Name:        "copy",
	Description: "records -> the same records: key, value, headers and timestamp",
	Topics:      []Topic{{"input", "source", Read}, {"output", "copy", Written}},
	builder:     buildCopy,
}

func buildCopy(topics map[string]string) *topology.Builder {
	b := topology.New()
	b.From(topology.NewTopic(topics["input"], serde.Bytes, serde.Bytes)).
		To(topology.NewTopic(topics["output"], serde.Bytes, serde.Bytes))
	return b
}
