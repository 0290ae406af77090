package topology_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// Headers and timestamps go with a record through every node, repartition topics
// and tables included.
func TestHeadersPassThrough(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.String)
	plain := topology.NewTopic("plain", serde.String, serde.String)
	counted := topology.NewTopic("counted", serde.String, serde.Int64)
	marked := topology.NewTopic("marked", serde.String, serde.String)
	b := topology.New()
	s := b.From(in).
		Filter(func(_, _ string) bool { return true }).
		MapValues(func(v string) string { return v }).
		FlatMap(func(k, v string, emit func(string, string)) { emit(k, v) })
	s.To(plain)
	s.KeyBy(topology.NewRepartition("by-value", serde.String, serde.String), func(_, v string) string { return v }).
		Count(store.KeyValue("counts", serde.String, serde.Int64)).
		Stream().
		To(counted)
	s.Process("mark", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
		return func(r topology.Record[string, string]) error {
			r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], topology.Header{Key: "marked"})
			return c.Emit(r)
		}, nil
	}).To(marked)

	d := topologytest.New(t, b)
	at := time.UnixMilli(1234).UTC()
	d.Pipe(in, topology.Record[string, string]{Key: "k", Value: "v", Time: at,
		Headers: []topology.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte{}}, {Key: "b"}}})
	const headers = `a="1"/false a=""/false b=""/true `
	expect(t, traces(d.Take(plain)), "k 1234 "+headers)
	expect(t, traces(d.Take(counted)), "v 1234 "+headers)
	expect(t, traces(d.Take(marked)), "k 1234 "+headers+`marked=""/true `)
}

// What was held back has the headers that it came with, an empty one too.
func TestHeadersOfWhatWasHeldBack(t *testing.T) {
	t.Parallel()
	d := holding(t, topology.UntilTimeLimit(ms(10), store.Buffer("held", serde.String, serde.String)))
	r := row("k", "v", 1)
	r.Headers = []topology.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte{}}, {Key: "b"}}
	d.Pipe(heldIn, r)
	d.Pipe(heldIn, row("other", "v", 20))
	expect(t, traces(d.Take(heldOut)), `k 1 a="1"/false a=""/false b=""/true `)
}

// traces print what goes beside the values of records, and whether a header is null.
func traces[V any](rs []topology.Record[string, V]) (out []string) {
	for _, r := range rs {
		trace := fmt.Sprint(r.Key, " ", r.Time.UnixMilli(), " ")
		for _, h := range r.Headers {
			trace += fmt.Sprintf("%s=%q/%v ", h.Key, h.Value, h.Value == nil)
		}
		out = append(out, trace)
	}
	return out
}
