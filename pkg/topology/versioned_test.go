package topology_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// A versionTwin is what a versioned store must be, in the most obvious way.
type versionTwin struct {
	history int64
	now     int64
	puts    []twinRecord // those that were taken; without a value it is a deletion
}

// asOf returns the value that a key had at a time, "" if it had none.
func (w *versionTwin) asOf(key string, at int64) (value string) {
	from, last := int64(-1), int64(-1)
	for _, p := range w.puts {
		if p.key == key && p.at <= at && p.at >= from {
			from, value = p.at, p.value
		}
		if p.key == key {
			last = max(last, p.at)
		}
	}
	if at < w.now-w.history && from != last {
		return ""
	}
	return value
}

// playVersions puts random versions into a table and its twin, with restarts.
func playVersions(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	history := []int64{0, 200, 2000, 500_000}[rnd.IntN(4)]
	rows := store.Versioned("rows", serde.String, serde.String, time.Duration(history)*time.Millisecond)
	b := topology.New()
	b.Table(rights, rows).Stream().To(joinedPairs)
	d := topologytest.New(t, b, topologytest.CommitEvery(1+rnd.IntN(5)))
	w, now, late := &versionTwin{history: history}, int64(0), int64(0)
	for i := range 200 {
		now += rnd.Int64N(max(2, history/10))
		p := twinRecord{key: fmt.Sprint("k", rnd.IntN(3)), value: fmt.Sprint("v", i), at: max(0, now-rnd.Int64N(history+20))}
		if rnd.IntN(4) == 0 {
			p.value = ""
		}
		d.Pipe(rights, topology.Record[string, string]{Key: p.key, Value: p.value, NullValue: p.value == "", Time: time.UnixMilli(p.at)})
		if p.at >= w.now-history {
			w.puts = append(w.puts, p)
		} else {
			late++
		}
		w.now = max(w.now, p.at)
		if rnd.IntN(20) == 0 {
			if n := d.Dropped()["late"]; n != late {
				t.Fatalf("seed %d: step %d: %d were late, want %d", seed, i, n, late)
			}
			late = 0
			d.Restart(topologytest.Local(rnd.IntN(3)))
		}
		at := max(0, now-rnd.Int64N(2*history+20))
		if rnd.IntN(4) == 0 {
			at = now + 1
		}
		got, ok, err := rows.Open(d).GetAsOf(p.key, time.UnixMilli(at))
		if want := w.asOf(p.key, at); err != nil || got != want || ok != (want != "") {
			t.Fatalf("seed %d: history %d: step %d, as of %d: %q, %v, %v; want %q", seed, history, i, at, got, ok, err, want)
		}
	}
}

func FuzzVersions(f *testing.F) {
	for range 100 {
		f.Add(rand.Uint64())
	}
	f.Fuzz(playVersions)
}

// Versions are told newest first, with the times between which they were valid.
func TestVersions(t *testing.T) {
	t.Parallel()
	rows := store.Versioned("rows", serde.String, serde.String, time.Minute)
	b := topology.New()
	b.Table(rights, rows)
	d := topologytest.New(t, b)
	put := func(value string, at int64) {
		d.Pipe(rights, topology.Record[string, string]{Key: "k", Value: value, NullValue: value == "", Time: time.UnixMilli(at)})
	}
	put("a", 10)
	put("c", 30)
	put("b", 20) // out of order
	put("", 40)
	put("e", 50)
	read := func(from, to int64) string {
		var out []string
		for v, err := range rows.Open(d).Versions("k", time.UnixMilli(from), time.UnixMilli(to)) {
			if err != nil {
				t.Fatal(err)
			}
			until := "on"
			if !v.Until.IsZero() {
				until = fmt.Sprint(v.Until.UnixMilli())
			}
			out = append(out, fmt.Sprintf("%s %d-%s", v.Value, v.From.UnixMilli(), until))
		}
		return strings.Join(out, ", ")
	}
	for _, c := range []struct {
		from, to int64
		want     string
	}{
		{0, 100, "e 50-on, c 30-40, b 20-30, a 10-20"},
		{20, 30, "c 30-40, b 20-30"},
		{19, 29, "b 20-30, a 10-20"},
		{40, 49, ""},
		{0, 9, ""},
	} {
		if got := read(c.from, c.to); got != c.want {
			t.Errorf("%d to %d: %s, want %s", c.from, c.to, got, c.want)
		}
	}
	if v, ok, err := rows.Open(d).Get("k"); v != "e" || !ok || err != nil {
		t.Errorf("last: %q, %v, %v", v, ok, err)
	}
}

// The changelog has every version, though there is one commit, and a key that is gone
// leaves nothing behind once its history is over.
func TestVersionsAreLoggedAndForgotten(t *testing.T) {
	t.Parallel()
	rows := store.Versioned("rows", serde.String, serde.String, 2*time.Minute)
	b := topology.New()
	b.Table(rights, rows)
	d := topologytest.New(t, b, topologytest.CommitEvery(100))
	put := func(k, value string, at int64) {
		d.Pipe(rights, topology.Record[string, string]{Key: k, Value: value, NullValue: value == "", Time: time.UnixMilli(at)})
	}
	put("k", "a", 10)
	put("k", "b", 20)
	put("k", "", 30)
	d.Commit()
	var logged []string
	for _, r := range d.Take(topology.NewTopic("test-rows-changelog", serde.String, serde.String)) {
		logged = append(logged, fmt.Sprintf("%s=%s@%d", r.Key, r.Value, r.Time.UnixMilli()))
	}
	if want := []string{"k=a@10", "k=b@20", "k=@30"}; !slices.Equal(logged, want) {
		t.Errorf("logged %v, want %v", logged, want)
	}
	entries := func() (n int) {
		_ = d.OpenStore("rows").Range(nil, nil, false, func(_, _ []byte, _ int64) bool { n++; return true })
		return n
	}
	if n := entries(); n != 1 {
		t.Errorf("%d entries", n)
	}
	put("other", "x", 10*60_000)
	d.Commit()
	if n := entries(); n != 1 {
		t.Errorf("%d entries once the deleted key's history is over", n)
	}
}
