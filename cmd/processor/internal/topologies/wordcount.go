package topologies

import (
	"github.com/leatstream/leat/cmd/processor/internal/words"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

var wordcount = Topology{
	Name:        "wordcount",
	Description: "lines of text -> how often each word has occurred; key: the word, value: int64",
	Topics:      []Topic{{"input", "text-lines", Read}, {"output", "word-counts", Written}},
	builder:     buildWordcount,
}

func buildWordcount(topics map[string]string) *topology.Builder {
	lines := topology.NewTopic(topics["input"], serde.Bytes, serde.String)
	byWord := topology.NewRepartition("words", serde.String, serde.Bytes)
	counts := store.KeyValue("counts", serde.String, serde.Int64)
	output := topology.NewTopic(topics["output"], serde.String, serde.Int64)

	b := topology.New()
	b.From(lines).
		FlatMap(func(_ []byte, line string, emit func(string, []byte)) {
			for word := range words.All(line) {
				emit(word, []byte{})
			}
		}).
		Repartition(byWord).
		Count(counts).
		Stream().
		To(output)
	return b
}
