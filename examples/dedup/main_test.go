package main

import (
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

func TestDedup(t *testing.T) {
	t.Parallel()
	d := topologytest.New(t, build())
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, e := range []struct {
		id    string
		after time.Duration
	}{
		{"a", 0}, {"b", time.Minute}, {"a", 2 * time.Minute},
		{"a", 59 * time.Minute},       // still remembered
		{"a", 61 * time.Minute},       // not any more
		{"a", 62 * time.Minute},       // remembered again
		{"late", 10 * time.Minute},    // an hour is an hour of the events' own time
		{"c", 200 * time.Minute},      // forgets all before it
		{"late", 200*time.Minute + 1}, // so that this one passes
	} {
		d.Pipe(events, topology.Record[string, []byte]{Key: e.id, Value: []byte(e.id), Time: noon.Add(e.after)})
		d.Restart(topologytest.KeepState)
	}
	var got []string
	for _, r := range d.Take(unique) {
		got = append(got, r.Key)
	}
	if want := "a b a late c late"; strings.Join(got, " ") != want {
		t.Errorf("passed on %q, want %q", got, want)
	}
	remembered := 0
	for _, err := range seen.Open(d).All() {
		if err != nil {
			t.Fatal(err)
		}
		remembered++
	}
	if remembered != 2 {
		t.Errorf("it remembers %d ids, want c and late", remembered)
	}
}
