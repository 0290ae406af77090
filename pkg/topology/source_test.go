package topology_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

var (
	payloads = topology.NewTopic("payloads", serde.String, serde.String)
	plain    = topology.NewTopic("plain", serde.String, serde.String)
	merged   = topology.NewTopic("merged", serde.String, serde.String)
)

// inPayload is the time that a value holds, in ms; -1 if it holds none.
func inPayload(r topology.Record[string, string]) time.Time {
	ms, err := strconv.ParseInt(r.Value, 10, 64)
	if err != nil {
		ms = -1
	}
	return time.UnixMilli(ms)
}

func times(rs []topology.Record[string, string]) (out []int64) {
	for _, r := range rs {
		out = append(out, r.Time.UnixMilli())
	}
	return out
}

func send(d *topologytest.Driver, value string, at int64) {
	d.Pipe(payloads, topology.Record[string, string]{Key: "k", Value: value, Time: time.UnixMilli(at)})
}

func TestTimedByPayload(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answer  topology.InvalidTime
		want    []int64
		dropped string
	}{
		{"skip", topology.SkipInvalid, []int64{5, 3, 9}, "invalid_timestamp"},
		{"partition time", topology.UsePartitionTime, []int64{5, 3, 5, 9}, ""},
		{"fail", topology.FailInvalid, []int64{5, 3, 9}, "undecodable"}, // the decode policy answers
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := topology.New()
			b.From(payloads.Timed(inPayload).OnInvalidTime(c.answer)).To(merged)
			d := topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Fail, ""))
			for _, v := range []string{"5", "3", "none", "9"} {
				send(d, v, 1000)
			}
			if got := times(d.Take(merged)); !equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if n := d.Dropped()[c.dropped]; c.dropped != "" && n != 1 {
				t.Errorf("%d dropped as %s", n, c.dropped)
			}
		})
	}
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Records of several inputs are chosen by the time that they are given, not by the
// one that they came with.
func TestTimedRecordsAreChosenByTheirTime(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.From(payloads.Timed(inPayload)).Merge(b.From(plain)).To(merged)
	d := topologytest.New(t, b)
	for i, v := range []string{"20", "40"} {
		d.Queue(payloads, topology.Record[string, string]{Value: v, Time: time.UnixMilli(int64(i))})
	}
	for i, v := range []string{"a", "b"} {
		d.Queue(plain, topology.Record[string, string]{Value: v, Time: time.UnixMilli(int64(i)*20 + 10)})
	}
	d.Process()
	if got := times(d.Take(merged)); !equal(got, []int64{10, 20, 30, 40}) {
		t.Errorf("got %v", got)
	}
}

func TestTimedByArrival(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.From(payloads.TimedByArrival()).To(merged)
	d := topologytest.New(t, b, topologytest.StartAt(time.UnixMilli(7)))
	send(d, "x", 1000)
	if got := times(d.Take(merged)); !equal(got, []int64{7}) {
		t.Errorf("got %v", got)
	}
}

// A panic in an extractor is an error of its record.
func TestExtractorPanics(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.From(payloads.Timed(func(topology.Record[string, string]) time.Time { panic("no") })).To(merged)
	var failed error
	d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
	send(d, "x", 1000)
	if failed == nil || failed.Error() != `task 0_0, node "payloads", record payloads[0]@0: panic: no` {
		t.Errorf("failed with %v", failed)
	}
}

// A topic that two patterns match is refused, as by a service, whether they are of one
// sub-topology or of two.
func TestPatternsThatMeet(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		b := topology.New()
		one := b.FromMatching(regexp.MustCompile(`a-.*`), topology.NewTopic("one", serde.String, serde.String))
		two := b.FromMatching(regexp.MustCompile(`.*-b`), topology.NewTopic("two", serde.String, serde.String))
		if together {
			one.Merge(two).To(merged)
		} else {
			one.To(merged)
			two.To(merged)
		}
		var failed error
		d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
		for _, name := range []string{"a-a", "b-b"} {
			if d.Send(topology.NewTopic(name, serde.String, serde.String), "k", "v"); failed != nil {
				t.Fatal(failed)
			}
		}
		d.Send(topology.NewTopic("a-b", serde.String, serde.String), "k", "v")
		if failed == nil || failed.Error() != `topologytest: topic "a-b" is read as "one" and as "two": make one pattern of two that match it` {
			t.Error(failed)
		}
	}
}

// Topics that match a pattern are read from when there are some, and what was read of
// the others stays read.
func TestFromMatching(t *testing.T) {
	t.Parallel()
	sensors := topology.NewTopic("sensors", serde.String, serde.String)
	b := topology.New()
	b.FromMatching(regexp.MustCompile(`sensor-\d+|s`), sensors).Count(store.KeyValue("readings", serde.String, serde.Int64)).Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
	b.From(topology.NewTopic("sensor-0", serde.String, serde.String)).To(merged)
	d := topologytest.New(t, b)
	to := func(name string) {
		d.Send(topology.NewTopic(name, serde.String, serde.String), "k", "v")
	}
	for _, name := range []string{"sensor-1", "sensor-x", "my-sensor-1", "s", "sensor-22", "sensor-1", "sensor-0", "ss"} {
		to(name)
	}
	counts := d.Take(topology.NewTopic("counts", serde.String, serde.Int64))
	if len(counts) != 4 || counts[3].Value != 4 {
		t.Errorf("counted %v", counts)
	}
	if n := len(d.Take(merged)); n != 1 {
		t.Errorf("sensor-0, which is read by its name, gave %d records", n)
	}
}

// The heads of all topics that match are looked at before one of them is taken: each is
// processed once, as itself.
func TestTimedFromMatching(t *testing.T) {
	t.Parallel()
	sensors := topology.NewTopic("sensors", serde.String, serde.String)
	one, two := topology.NewTopic("sensor-1", serde.String, serde.String), topology.NewTopic("sensor-2", serde.String, serde.String)
	b := topology.New()
	b.FromMatching(regexp.MustCompile(`sensor-\d+`), sensors.Timed(inPayload).OnInvalidTime(topology.SkipInvalid)).To(merged)
	d := topologytest.New(t, b)
	d.Send(one, "A", "1")
	d.Send(two, "B", "2")
	for i, v := range []string{"10", "30", "none", "50"} { // at the same offsets
		d.Queue(one, topology.Record[string, string]{Key: "A", Value: v})
		d.Queue(two, topology.Record[string, string]{Key: "B", Value: []string{"20", "none", "40", "60"}[i]})
	}
	d.Process()
	var got []string
	for _, r := range d.Take(merged) {
		got = append(got, fmt.Sprint(r.Key, r.Value, "@", r.Time.UnixMilli()))
	}
	want := []string{"A1@1", "B2@2", "A10@10", "B20@20", "A30@30", "B40@40", "A50@50", "B60@60"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := d.Dropped()["invalid_timestamp"]; n != 2 {
		t.Errorf("%d dropped", n)
	}
}

// The timestamps of a topic's records cannot be taken in two ways.
func TestTopicTimedInTwoWays(t *testing.T) {
	t.Parallel()
	other := func(topology.Record[string, string]) time.Time { return time.Time{} }
	ways := map[string]topology.Topic[string, string]{
		"plain": payloads, "timed": payloads.Timed(inPayload), "arrival": payloads.TimedByArrival(),
		"skip": payloads.OnInvalidTime(topology.SkipInvalid), "timed, skip": payloads.Timed(inPayload).OnInvalidTime(topology.SkipInvalid),
	}
	for name, one := range ways {
		for another, two := range ways {
			b := topology.New()
			b.From(one).To(merged)
			b.Table(two, text("rows"))
			_, err := b.Build()
			if alike := name == another; alike && err != nil || !alike && (err == nil || !strings.Contains(err.Error(), `topic "payloads" is read with timestamps of two kinds`)) {
				t.Errorf("%s and %s: %v", name, another, err)
			}
		}
	}
	b := topology.New()
	b.From(payloads.Timed(inPayload)).To(merged)
	b.From(payloads.Timed(other)).To(result)
	if _, err := b.Build(); err != nil {
		t.Errorf("functions were compared: %v", err)
	}
}

// Dead letters are no input, though their topic matches: they would fail again and again.
func TestFromMatchingReadsNoDeadLetters(t *testing.T) {
	t.Parallel()
	b := topology.New()
	calls := 0
	b.FromMatching(regexp.MustCompile(`sensor-.*`), topology.NewTopic("sensors", serde.String, serde.String)).
		Process("p", func(*textContext) (textHandler, error) {
			return func(r textRecord) error {
				if calls++; r.Value == "bad" && calls < 100 {
					return errors.New("bad")
				}
				return nil
			}, nil
		})
	dead := topology.NewTopic("sensor-dead", serde.String, serde.String)
	d := topologytest.New(t, b, topologytest.Failures(topology.Fail, topology.DeadLetter, "sensor-dead"))
	d.Send(topology.NewTopic("sensor-1", serde.String, serde.String), "k", "bad")
	d.Send(topology.NewTopic("sensor-2", serde.String, serde.String), "k", "bad")
	if n := len(d.Take(dead)); n != 2 || calls != 2 {
		t.Errorf("%d dead letters of %d calls", n, calls)
	}
}
