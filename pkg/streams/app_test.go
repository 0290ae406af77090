package streams_test

import (
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// Dead letters that the application would read again are refused, whatever reads them.
func TestDeadLettersThatAreRead(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.String)
	b := topology.New()
	b.From(in).Repartition(topology.NewRepartition("moved", serde.String, serde.String)).
		Count(store.KeyValue("counts", serde.String, serde.Int64)).Stream().
		To(topology.NewTopic("out", serde.String, serde.Int64))
	b.GlobalTable(topology.NewTopic("all", serde.String, serde.String), store.KeyValue("all", serde.String, serde.String))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for topic, read := range map[string]bool{"in": true, "all": true, "app-moved-repartition": true, "app-counts-changelog": true, "out": false, "dead": false} {
		_, err := streams.New(top, streams.Config{
			Application: "app", Brokers: []string{"localhost:9092"}, Failures: streams.Failures{Decode: topology.DeadLetter, DeadLetterTopic: topic},
		})
		if is := err != nil && strings.Contains(err.Error(), "Failures.DeadLetterTopic: the topology reads the dead-letter topic"); is != read || !read && err != nil {
			t.Errorf("%s: %v", topic, err)
		}
	}
}
