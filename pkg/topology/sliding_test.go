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

// slidingTwin lists the windows that records at the given times make, in the most
// obvious way: every record has the window that ends at it, and the one that begins
// just behind it unless that is empty.
func slidingTwin(times []int64, size int64) map[int64]string {
	out := map[int64]string{}
	hold := func(start int64, must bool) {
		var in []string
		for i, t := range times {
			if start <= t && t <= start+size {
				in = append(in, fmt.Sprint(i))
			}
		}
		if must || len(in) > 0 {
			slices.Sort(in)
			out[start] = strings.Join(in, " ")
		}
	}
	for _, t := range times {
		hold(max(0, t-size), true)
		hold(t+1, false)
	}
	return out
}

// checkSliding runs records at the given times through sliding windows that take them
// all, and compares what is kept with the twin.
func checkSliding(t *testing.T, times []int64, size int64) {
	t.Helper()
	in := topology.NewTopic("in", serde.String, serde.Int64)
	kept := store.Window("kept", serde.String, serde.String)
	b := topology.New()
	topology.Windowed(b.From(in), window.SlidingBy(time.Duration(size)*time.Millisecond).Grace(time.Hour)).
		Aggregate(kept, func(acc, _ string, v int64) string { return acc + " " + fmt.Sprint(v) })
	d := topologytest.New(t, b)
	for i, at := range times {
		d.Pipe(in, topology.Record[string, int64]{Key: "a", Value: int64(i), Time: time.UnixMilli(at)})
		if i%5 == 3 {
			d.Pipe(in, topology.Record[string, int64]{Key: "ab", Value: 77, Time: time.UnixMilli(at)}) // a longer key is another
		}
	}
	got := map[int64]string{}
	for e, err := range kept.Open(d).Fetch("a", time.UnixMilli(0), time.UnixMilli(1<<40)) {
		if err != nil {
			t.Fatal(err)
		}
		values := strings.Fields(e.Value)
		slices.Sort(values)
		got[e.Key.Start] = strings.Join(values, " ")
	}
	if want := slidingTwin(times, size); !maps.Equal(got, want) {
		t.Fatalf("size %d, records at %v:\n got %v\nwant %v", size, times, got, want)
	}
}

func TestSlidingAgainstTwin(t *testing.T) {
	t.Parallel()
	for range 300 {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 1))
		times := make([]int64, rnd.IntN(25))
		for i := range times {
			times[i] = rnd.Int64N(60)
		}
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { checkSliding(t, times, rnd.Int64N(20)) })
	}
}

func FuzzSliding(f *testing.F) {
	f.Add(int64(10), []byte{20, 25, 22, 3, 50, 31, 20})
	f.Add(int64(0), []byte{1, 0, 1, 2})
	f.Fuzz(func(t *testing.T, size int64, at []byte) {
		if size < 0 || size > 100 || len(at) > 40 {
			t.Skip()
		}
		times := make([]int64, len(at))
		for i, b := range at {
			times[i] = int64(b)
		}
		checkSliding(t, times, size)
	})
}
