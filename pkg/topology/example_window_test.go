package topology_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

var (
	views       = topology.NewTopic("views", serde.String, serde.Int64)
	viewsByTime = topology.NewTopic("views-by-time", serde.TimeWindowed(serde.String, 10*time.Second), serde.Int64)
	viewsByStay = topology.NewTopic("views-by-stay", serde.SessionWindowed(serde.String), serde.Int64)
)

// second is a record of one view, so many seconds after the epoch.
func second(user string, s int64) topology.Record[string, int64] {
	return topology.Record[string, int64]{Key: user, Value: 1, Time: time.Unix(s, 0)}
}

// showWindows prints what a topic has received, with windows in seconds.
func showWindows[V any](d *topologytest.Driver, from topology.Topic[window.Windowed[string], V]) {
	for _, r := range d.Take(from) {
		from, to := r.Key.Start/1000, r.Key.End/1000
		if r.NullValue {
			fmt.Printf("%s %d to %d: deleted\n", r.Key.Key, from, to)
			continue
		}
		fmt.Printf("%s %d to %d: %v\n", r.Key.Key, from, to, r.Value)
	}
}

// Views are counted in windows of ten seconds, which take what is late for five more.
func ExampleWindowed() {
	b := topology.New()
	topology.Windowed(b.From(views), window.Tumbling(10*time.Second).Grace(5*time.Second)).
		Count(store.Window("views", serde.String, serde.Int64)).
		Stream().
		To(viewsByTime)

	d := topologytest.New(new(testing.T), b)
	d.Pipe(views, second("ann", 3))
	d.Pipe(views, second("ann", 12)) // the next window
	d.Pipe(views, second("ann", 9))  // late, and in time
	d.Pipe(views, second("ann", 15))
	d.Pipe(views, second("ann", 9)) // too late
	showWindows(d, viewsByTime)
	fmt.Println(d.Dropped())
	// Output:
	// ann 0 to 10: 1
	// ann 10 to 20: 1
	// ann 0 to 10: 2
	// ann 10 to 20: 2
	// map[late:1]
}

// Sliding windows find any three views within ten seconds, wherever those begin.
func ExampleWindowed_sliding() {
	b := topology.New()
	topology.Windowed(b.From(views), window.SlidingBy(10*time.Second)).
		Count(store.Window("close-views", serde.String, serde.Int64)).
		Filter(func(_ window.Windowed[string], n int64) bool { return n >= 3 }).
		Stream().
		To(viewsByTime)

	d := topologytest.New(new(testing.T), b)
	for _, s := range []int64{11, 28, 30, 37} {
		d.Pipe(views, second("ann", s))
	}
	showWindows(d, viewsByTime)
	// Output:
	// ann 27 to 37: 3
}

// One result for each window, once it has closed. The store keeps windows for longer
// than they take records, so that a quiet minute loses none.
func ExampleWindowedStream_OnClose() {
	b := topology.New()
	topology.Windowed(b.From(views), window.Hopping(10*time.Second, 5*time.Second)).
		OnClose().
		Count(store.Window("views", serde.String, serde.Int64).Retention(time.Hour)).
		Stream().
		To(viewsByTime)

	d := topologytest.New(new(testing.T), b)
	for _, s := range []int64{3, 7, 12, 21} {
		d.Pipe(views, second("ann", s))
	}
	showWindows(d, viewsByTime)
	// Output:
	// ann 0 to 10: 2
	// ann 5 to 15: 2
	// ann 10 to 20: 1
}

// A stay lasts until nothing is viewed for ten seconds. A view between two stays makes
// them one.
func ExampleSessions() {
	b := topology.New()
	topology.Sessions(b.From(views), window.Sessions(10*time.Second).Grace(time.Minute)).
		Aggregate(store.Session("stays", serde.String, serde.Int64),
			func(n int64, _ string, v int64) int64 { return n + v },
			func(_ string, a, b int64) int64 { return a + b }).
		Stream().
		To(viewsByStay)

	d := topologytest.New(new(testing.T), b)
	for _, s := range []int64{1, 4, 20, 12} {
		d.Pipe(views, second("ann", s))
	}
	showWindows(d, viewsByStay)
	// Output:
	// ann 1 to 1: 1
	// ann 1 to 1: deleted
	// ann 1 to 4: 2
	// ann 20 to 20: 1
	// ann 1 to 4: deleted
	// ann 20 to 20: deleted
	// ann 1 to 20: 4
}

// What a minute's last count is, is known when the window closes; until then it is
// held back.
func ExampleTable_Suppress() {
	held := store.Buffer("final-views", serde.TimeWindowed(serde.String, 10*time.Second), serde.Int64)

	b := topology.New()
	topology.Windowed(b.From(views), window.Tumbling(10*time.Second)).
		Count(store.Window("views", serde.String, serde.Int64)).
		Suppress(topology.UntilWindowCloses(held)).
		Stream().
		To(viewsByTime)

	d := topologytest.New(new(testing.T), b)
	for _, s := range []int64{3, 7, 12, 13, 25} {
		d.Pipe(views, second("ann", s))
	}
	showWindows(d, viewsByTime)
	// Output:
	// ann 0 to 10: 2
	// ann 10 to 20: 2
}

// No more than one update of a key in a minute, and the buffer holds no more than a
// thousand keys: of more, the oldest is let go early.
func ExampleUntilTimeLimit() {
	out := topology.NewTopic("totals", serde.String, serde.Int64)
	held := store.Buffer("slow-totals", serde.String, serde.Int64).MaxRecords(1000)

	b := topology.New()
	b.From(views).
		Count(store.KeyValue("totals", serde.String, serde.Int64)).
		Suppress(topology.UntilTimeLimit(time.Minute, held)).
		Stream().
		To(out)

	d := topologytest.New(new(testing.T), b)
	for _, s := range []int64{0, 20, 40, 60, 70} {
		d.Pipe(views, second("ann", s))
	}
	show(d, out)
	// Output:
	// ann 4
}

// A windowed store is read by key and time, forwards or backwards.
func ExampleWindowedStream_Count() {
	kept := store.Window("views", serde.String, serde.Int64)

	b := topology.New()
	topology.Windowed(b.From(views), window.Tumbling(10*time.Second).Grace(time.Hour)).Count(kept)

	d := topologytest.New(new(testing.T), b)
	for _, s := range []int64{3, 7, 12, 25} {
		d.Pipe(views, second("ann", s))
	}
	for e, err := range kept.Open(d).FetchReversed("ann", time.Unix(0, 0), time.Unix(15, 0)) {
		fmt.Println(e.Key.StartTime().Format(time.TimeOnly), e.Value, err)
	}
	// Output:
	// 00:00:10 1 <nil>
	// 00:00:00 2 <nil>
}
