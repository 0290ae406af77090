package topology_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

// sessionTwin gathers times into sessions in the most obvious way.
func sessionTwin(times []int64, gap int64) map[string]string {
	order := make([]int, len(times))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(times[a] - times[b]) })
	out := map[string]string{}
	for len(order) > 0 {
		n := 1
		for n < len(order) && times[order[n]]-times[order[n-1]] <= gap {
			n++
		}
		var in []string
		for _, i := range order[:n] {
			in = append(in, fmt.Sprint(i))
		}
		slices.Sort(in)
		out[fmt.Sprintf("a@%d/%d", times[order[0]], times[order[n-1]])] = strings.Join(in, " ")
		order = order[n:]
	}
	return out
}

var sessionKept = store.Session("kept", serde.String, serde.String)

// sessionRig gathers the values of "in" into sessions and writes every result, under
// the session's name, to "out".
func sessionRig(tb testing.TB, gap, grace int64, opts ...topologytest.Option) (*topologytest.Driver, topology.Topic[string, int64], topology.Topic[string, string]) {
	tb.Helper()
	in := topology.NewTopic("in", serde.String, serde.Int64)
	out := topology.NewTopic("out", serde.String, serde.String)
	b := topology.New()
	if len(opts) > 0 {
		b.Coalesce()
	}
	topology.Sessions(b.From(in), window.Sessions(ms(gap)).Grace(ms(grace))).
		Aggregate(sessionKept,
			func(acc, _ string, v int64) string { return acc + " " + fmt.Sprint(v) },
			func(_, a, b string) string { return a + b }).
		Stream().SelectKey(func(r topology.Record[window.Windowed[string], string]) string { return r.Key.String() }).To(out)
	return topologytest.New(tb, b, opts...), in, out
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func sorted(values string) string {
	list := strings.Fields(values)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// checkSessions runs records at the given times through sessions that take them all,
// and compares what is kept, and what readers were told, with the twin.
func checkSessions(t *testing.T, times []int64, gap int64, opts ...topologytest.Option) {
	t.Helper()
	d, in, out := sessionRig(t, gap, 1<<40, opts...)
	for i, at := range times {
		d.Pipe(in, topology.Record[string, int64]{Key: "a", Value: int64(i), Time: time.UnixMilli(at)})
		if i%7 == 5 {
			d.Restart(topologytest.Local(i % 3))
		}
	}
	d.Commit()
	told := map[string]string{}
	for _, r := range d.Take(out) {
		if delete(told, r.Key); !r.NullValue {
			told[r.Key] = sorted(r.Value)
		}
	}
	kept := map[string]string{}
	for e, err := range sessionKept.Open(d).Fetch("a", time.UnixMilli(0), time.UnixMilli(1<<40)) {
		if err != nil {
			t.Fatal(err)
		}
		kept[e.Key.String()] = sorted(e.Value)
	}
	want := sessionTwin(times, gap)
	if !maps.Equal(kept, want) || !maps.Equal(told, want) {
		t.Fatalf("gap %d, records at %v:\nkept %v\ntold %v\nwant %v", gap, times, kept, told, want)
	}
}

func TestSessionsAgainstTwin(t *testing.T) {
	t.Parallel()
	for range 300 {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 1))
		times := make([]int64, rnd.IntN(25))
		for i := range times {
			times[i] = rnd.Int64N(100)
		}
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			checkSessions(t, times, rnd.Int64N(15))
			checkSessions(t, times, rnd.Int64N(15), topologytest.CommitEvery(1+rnd.IntN(9)))
		})
	}
}

func FuzzSessions(f *testing.F) {
	f.Add(int64(10), []byte{20, 25, 22, 3, 50, 31, 20, 41})
	f.Fuzz(func(t *testing.T, gap int64, at []byte) {
		if gap < 0 || gap > 100 || len(at) > 40 {
			t.Skip()
		}
		times := make([]int64, len(at))
		for i, b := range at {
			times[i] = int64(b)
		}
		checkSessions(t, times, gap)
	})
}

// A session has a new key whenever it grows; only the last one in a transaction is told
// to the changelog, and that the last one of the transaction before is no more.
func TestSessionChangelog(t *testing.T) {
	t.Parallel()
	d, in, _ := sessionRig(t, 10, 0, topologytest.CommitEvery(100))
	kept := topology.NewTopic(d.Changelog("kept"), serde.SessionWindowed(serde.String), serde.String)
	for round, want := range []string{"[a@0/9]", "[a@0/9 a@0/19]"} {
		for i := range 10 {
			d.Pipe(in, topology.Record[string, int64]{Key: "a", Time: time.UnixMilli(int64(round*10 + i))})
		}
		d.Commit()
		var keys []string
		for _, r := range d.Take(kept) {
			keys = append(keys, r.Key.String())
		}
		if fmt.Sprint(keys) != want {
			t.Errorf("round %d: the changelog has %v, want %v", round, keys, want)
		}
	}
}
