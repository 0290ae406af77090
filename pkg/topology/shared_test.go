package topology_test

import (
	"fmt"
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

// A sharedCase is a windowed table that emits what has closed, in a store that a processor
// writes to: for the key of what it reads, to the window that begins, or the session that
// is, at the time in its value.
type sharedCase struct {
	name      string
	aggregate func(topology.Stream[string, string]) topology.Table[window.Windowed[string], int64]
	write     func(c *textContext) func(key string, at int64) error
	store     store.Descriptor
	want      []string
}

var sharedOut = topology.NewTopic("result", serde.SessionWindowed(serde.String), serde.Int64)

func sharedCases() (cases []sharedCase) {
	for name, views := range map[string]store.WindowStore[string, int64]{
		"":           store.Window("views", serde.String, serde.Int64),
		", for long": store.Window("views", serde.String, serde.Int64).Retention(time.Hour),
	} {
		write := func(c *textContext) func(string, int64) error {
			rows := views.Open(c)
			return func(k string, at int64) error { return rows.Put(k, time.UnixMilli(at), 100) }
		}
		cases = append(cases,
			sharedCase{"tumbling" + name, func(s topology.Stream[string, string]) topology.Table[window.Windowed[string], int64] {
				return topology.Windowed(s, window.Tumbling(ms(10)).Grace(ms(20))).OnClose().Count(views)
			}, write, views, []string{"a[0-10]=1", "p[10-20]=100", "a[30-40]=1", "a[40-50]=1"}},
			sharedCase{"sliding" + name, func(s topology.Stream[string, string]) topology.Table[window.Windowed[string], int64] {
				return topology.Windowed(s, window.SlidingBy(ms(10)).Grace(ms(20))).OnClose().Count(views)
			}, write, views, []string{"a[0-10]=1", "p[10-20]=100", "a[20-30]=1", "a[30-40]=2", "a[31-41]=1"}})
	}
	for name, stays := range map[string]store.SessionStore[string, int64]{
		"":           store.Session("stays", serde.String, serde.Int64),
		", for long": store.Session("stays", serde.String, serde.Int64).Retention(time.Hour),
	} {
		cases = append(cases, sharedCase{"sessions" + name, func(s topology.Stream[string, string]) topology.Table[window.Windowed[string], int64] {
			return topology.Sessions(s, window.Sessions(ms(5)).Grace(ms(19))).OnClose().Count(stays)
		}, func(c *textContext) func(string, int64) error {
			rows := stays.Open(c)
			return func(k string, at int64) error {
				return rows.Put(window.Windowed[string]{Key: k, Span: window.Span{Start: at, End: at}}, 100)
			}
		}, stays, []string{"a[5-5]=1", "p[10-10]=100", "a[30-30]=1", "a[40-40]=1"}})
	}
	return cases
}

// Whoever names the store first, each window is emitted once when it has closed, and one
// that a processor has put there is, too: also after nothing was left to be emitted.
func TestProcessorSharesStoreOnClose(t *testing.T) {
	t.Parallel()
	for _, c := range sharedCases() {
		for _, ownerFirst := range []bool{true, false} {
			b := topology.New()
			parts := []func(){
				func() { c.aggregate(b.From(letters)).Stream().To(sharedOut) },
				func() {
					b.From(digits).Process("p", func(ctx *textContext) (textHandler, error) {
						put := c.write(ctx)
						return func(r textRecord) error {
							var at int64
							fmt.Sscan(r.Value, &at)
							return put(r.Key, at)
						}, nil
					}, c.store)
				},
			}
			if !ownerFirst {
				slices.Reverse(parts)
			}
			for _, add := range parts {
				add()
			}
			var got []string
			d := topologytest.New(t, b)
			pipe := func(to topology.Topic[string, string], key, value string, at int64) {
				d.Pipe(to, topology.Record[string, string]{Key: key, Value: value, Time: time.UnixMilli(at)})
				for _, r := range d.Take(sharedOut) {
					got = append(got, fmt.Sprintf("%s[%d-%d]=%d", r.Key.Key, r.Key.Start, r.Key.End, r.Value))
				}
			}
			pipe(letters, "a", "", 5)
			pipe(letters, "a", "", 30) // what 5 is in has closed
			pipe(digits, "p", "10", 30)
			pipe(letters, "a", "", 40)
			d.Restart(topologytest.LoseState)
			pipe(letters, "a", "", 60)
			pipe(letters, "a", "", 70)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, its owner first %v: %v", c.name, ownerFirst, got)
			}
		}
	}
}

// What a processor writes while windows are emitted, as a reader of them does, is not lost
// either.
func TestReaderOfClosedWindowsWrites(t *testing.T) {
	t.Parallel()
	views := store.Window("views", serde.String, serde.Int64)
	b := topology.New()
	closed := topology.Windowed(b.From(letters), window.Tumbling(ms(10)).Grace(ms(20))).OnClose().Count(views).Stream()
	closed.Process("again", func(c *topology.Context[string, int64]) (topology.Handler[window.Windowed[string], int64], error) {
		rows := views.Open(c)
		return func(r topology.Record[window.Windowed[string], int64]) error {
			return rows.Put(r.Key.Key+"'", time.UnixMilli(r.Key.Start+20), r.Value)
		}, nil
	}, views)
	closed.To(sharedOut)
	d := topologytest.New(t, b)
	var got []string
	for _, at := range []int64{5, 30, 50, 60, 70} {
		d.Pipe(letters, topology.Record[string, string]{Key: "a", Time: time.UnixMilli(at)})
		for _, r := range d.Take(sharedOut) {
			got = append(got, fmt.Sprintf("%s[%d-%d]=%d", r.Key.Key, r.Key.Start, r.Key.End, r.Value))
		}
	}
	if want := []string{"a[0-10]=1", "a'[20-30]=1", "a[30-40]=1", "a''[40-50]=1"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Two declarations that cannot both be true of one store are refused, whichever comes first
// and whether an operator owns it; what an owner adds to its own is not another one.
func TestStoresDeclaredTwice(t *testing.T) {
	t.Parallel()
	rows, views := text("s"), store.Window("s", serde.String, serde.Int64)
	by := func(name string, d store.Descriptor) func(*topology.Builder) {
		return func(b *topology.Builder) {
			b.From(digits).Process(name, func(*textContext) (textHandler, error) {
				return func(textRecord) error { return nil }, nil
			}, d)
		}
	}
	table := func(b *topology.Builder) { b.From(letters).Table(rows) }
	count := func(b *topology.Builder) {
		topology.Windowed(b.From(letters), window.Tumbling(time.Hour)).OnClose().Count(views)
	}
	join := func(b *topology.Builder) {
		b.From(letters).Join(b.From(digits), window.Within(time.Hour), store.Join("j", serde.String, serde.String, serde.String), func(_, l, _ string) string { return l })
	}
	side := store.Window("j-other-join-store", serde.String, serde.String)
	for _, c := range []struct {
		name string
		a, b func(*topology.Builder)
		ok   bool
	}{
		{"the same", by("p", rows), by("q", rows), true},
		{"the same windows", by("p", views), by("q", views), true},
		{"in order", by("p", views), by("q", views.InOrder()), true},
		{"rows and the last rows", by("p", rows), by("q", store.LRU("s", 2, serde.String, serde.String)), false},
		{"many and few", by("p", store.LRU("s", 1, serde.String, serde.String)), by("q", store.LRU("s", 2, serde.String, serde.String)), false},
		{"windows and sessions", by("p", views), by("q", store.Session("s", serde.String, serde.Int64)), false},
		{"long and short", by("p", views.Retention(time.Hour)), by("q", views), false},
		{"logged and not", by("p", rows), by("q", rows.Unlogged()), false},
		{"text and numbers", by("p", rows), by("q", store.KeyValue("s", serde.String, serde.Int64)), false},
		{"text and bytes", by("p", rows), by("q", store.KeyValue("s", serde.Bytes, serde.Bytes)), true},

		{"owned", table, by("p", rows), true},
		{"owned, and not logged", table, by("p", rows.Unlogged()), false},
		{"owned, and the last rows", table, by("p", store.LRU("s", 2, serde.String, serde.String)), false},
		{"owned, and numbers", table, by("p", store.KeyValue("s", serde.String, serde.Int64)), false},
		{"owned windows", count, by("p", views), true},
		{"owned windows, as they are kept", count, by("p", views.Retention(time.Hour)), true},
		{"owned windows, for longer", count, by("p", views.Retention(2*time.Hour)), false},
		{"owned windows, repeating", count, by("p", views.Repeating()), false},
		{"owned windows and sessions", count, by("p", store.Session("s", serde.String, serde.Int64)), false},
		{"windows for reading and sessions", count, by("p", store.ForReading(store.Session("s", serde.String, serde.Int64))), false},
		{"windows for reading", count, by("p", store.ForReading(views)), true},
		{"a join's", join, by("p", side.Repeating()), true},
		{"a join's, of other values", join, by("p", store.Window("j-other-join-store", serde.String, serde.Int64).Repeating()), false},
		{"a join's, without repetitions", join, by("p", side), false},
		{"a join's for reading", join, by("p", store.ForReading(side)), true},
	} {
		for _, parts := range [][]func(*topology.Builder){{c.a, c.b}, {c.b, c.a}} {
			b := topology.New()
			for _, add := range parts {
				add(b)
			}
			_, err := b.Build()
			if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "declare it once and use that declaration everywhere") {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}
