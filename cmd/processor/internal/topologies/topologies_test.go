package topologies

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

func drive(t *testing.T, top Topology, opts ...topologytest.Option) *topologytest.Driver {
	t.Helper()
	return topologytest.New(t, top.Builder(top.Defaults()), opts...)
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	for _, top := range All() {
		if found, ok := Find(top.Name); !ok || found.Name != top.Name {
			t.Errorf("%s is not found by its name", top.Name)
		}
		if strings.Contains(top.Description, "\n") || top.Description == "" {
			t.Errorf("%s: description %q", top.Name, top.Description)
		}
		built, err := top.Build(top.Defaults())
		if err != nil {
			t.Errorf("%s: %v", top.Name, err)
			continue
		}
		checkTopics(t, top, built)
	}
	if _, ok := Find("no such"); ok {
		t.Error("found what there is not")
	}
}

// checkTopics compares what a topology says it reads and writes with what it does.
func checkTopics(t *testing.T, top Topology, built *topology.Topology) {
	t.Helper()
	used := map[string]Use{}
	for _, sub := range built.Plan().Subs {
		for _, s := range sub.Sources {
			if !s.Topic.Internal {
				used[s.Topic.Name] = Read
			}
		}
		for _, s := range sub.Sinks {
			if !s.Topic.Internal {
				used[s.Topic.Name] = Written
			}
		}
	}
	for _, topic := range top.Topics {
		if use, ok := used[topic.Default]; !ok || use != topic.Use {
			t.Errorf("%s: topic %s is %v: %v", top.Name, topic.Part, use, ok)
		}
		delete(used, topic.Default)
	}
	if len(used) > 0 {
		t.Errorf("%s: does not name its topics %v", top.Name, used)
	}
}

func TestWordcount(t *testing.T) {
	t.Parallel()
	lines := topology.NewTopic("text-lines", serde.Bytes, serde.String)
	counts := topology.NewTopic("word-counts", serde.String, serde.Int64)
	d := drive(t, wordcount, topologytest.Partitions(3))
	at := time.UnixMilli(1000).UTC()
	for _, line := range []string{"To be, or not\xffto be.", "", "  ", "TO"} {
		d.Pipe(lines, topology.Record[[]byte, string]{NullKey: true, Value: line, Time: at})
	}
	last := map[string]int64{}
	for _, r := range d.Take(counts) {
		if r.Value != last[r.Key]+1 || !r.Time.Equal(at) {
			t.Errorf("%q: %d after %d, at %v", r.Key, r.Value, last[r.Key], r.Time)
		}
		last[r.Key] = r.Value
	}
	want := map[string]int64{"to": 3, "be": 2, "or": 1, "not": 1}
	if !maps.Equal(last, want) {
		t.Errorf("counts %v, want %v", last, want)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	events := topology.NewTopic("events", serde.String, serde.Bytes)
	counts := topology.NewTopic("event-counts", serde.String, serde.Int64)
	d := drive(t, count)
	for _, key := range []string{"a", "b", "a", "", "a"} {
		d.Send(events, key, []byte{0xff})
	}
	d.Restart(topologytest.LoseState)
	d.Send(events, "a", []byte{}) // any value counts; a null is none
	last := map[string]int64{}
	for _, r := range d.Take(counts) {
		last[r.Key] = r.Value
	}
	if want := map[string]int64{"a": 4, "b": 1, "": 1}; !maps.Equal(last, want) {
		t.Errorf("counts %v, want %v", last, want)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	source := topology.NewTopic("source", serde.Bytes, serde.Bytes)
	target := topology.NewTopic("copy", serde.Bytes, serde.Bytes)
	d := drive(t, passOn)
	in := []topology.Record[[]byte, []byte]{
		{Key: []byte("k"), Value: []byte("v"), Time: time.UnixMilli(1).UTC(), Headers: []topology.Header{{Key: "h", Value: []byte("x")}, {Key: "h"}}},
		{NullKey: true, Value: []byte{}, Time: time.UnixMilli(2).UTC()},
		{Key: []byte{0xff}, NullValue: true, Time: time.UnixMilli(3).UTC()},
	}
	for _, r := range in {
		d.Pipe(source, r)
	}
	out := d.Take(target)
	if len(out) != len(in) {
		t.Fatalf("%d records, want %d", len(out), len(in))
	}
	for i, r := range out {
		w := in[i]
		same := string(r.Key) == string(w.Key) && string(r.Value) == string(w.Value) && r.NullKey == w.NullKey && r.NullValue == w.NullValue
		if !same || !r.Time.Equal(w.Time) || !slices.EqualFunc(r.Headers, w.Headers, sameHeader) {
			t.Errorf("record %d: got %+v, want %+v", i, r, w)
		}
	}
}

func sameHeader(a, b topology.Header) bool {
	return a.Key == b.Key && string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil)
}
