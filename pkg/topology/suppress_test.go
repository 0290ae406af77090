package topology_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/murmur"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

var (
	heldIn  = topology.NewTopic("in", serde.String, serde.String)
	heldOut = topology.NewTopic("out", serde.String, serde.String)
)

// row is an update of a table; "" deletes.
func row(key, value string, at int64) topology.Record[string, string] {
	return topology.Record[string, string]{Key: key, Value: value, NullValue: value == "", Time: time.UnixMilli(at)}
}

// taken prints what "out" has received.
func taken(d *topologytest.Driver) string {
	var out []string
	for _, r := range d.Take(heldOut) {
		out = append(out, fmt.Sprintf("%s=%s@%d", r.Key, r.Value, r.Time.UnixMilli()))
	}
	return strings.Join(out, " ")
}

// holding is a driver of a table whose updates are held back.
func holding(tb testing.TB, s topology.Suppression[string, string], opts ...topologytest.Option) *topologytest.Driver {
	tb.Helper()
	b := topology.New()
	b.Table(heldIn, store.KeyValue("rows", serde.String, serde.String)).Suppress(s).Stream().To(heldOut)
	return topologytest.New(tb, b, opts...)
}

func TestUntilTimeLimit(t *testing.T) {
	t.Parallel()
	d := holding(t, topology.UntilTimeLimit(ms(100), store.Buffer("held", serde.String, serde.String)))
	for _, step := range []struct {
		in   topology.Record[string, string]
		want string
	}{
		{row("a", "1", 10), ""},
		{row("b", "1", 50), ""},
		{row("a", "2", 60), ""},
		{row("c", "1", 109), ""},
		{row("b", "2", 110), "a=2@60"}, // a came at 10
		{row("a", "", 120), ""},
		{row("d", "1", 209), "b=2@110 c=1@109"},
		{row("d", "2", 230), "a=@120"},    // a deletion is an update like others
		{row("late", "1", 5), "late=1@5"}, // after a restart, too
	} {
		if step.in.Key == "late" {
			d.Restart(topologytest.LoseState)
		}
		d.Pipe(heldIn, step.in)
		if got := taken(d); got != step.want {
			t.Errorf("after %v: %q, want %q", step.in, got, step.want)
		}
	}
}

func TestFullBuffers(t *testing.T) {
	t.Parallel()
	held := store.Buffer("held", serde.String, serde.String)
	d := holding(t, topology.UntilTimeLimit(time.Hour, held.MaxBytes(80))) // two rows, of about 33 bytes
	for i, k := range []string{"a", "b", "c", "d"} {
		d.Pipe(heldIn, row(k, "1", int64(i)))
		if i == 2 {
			d.Restart(topologytest.LoseState) // how full it is, is found out anew
		}
	}
	if got := taken(d); got != "a=1@0 b=1@1" {
		t.Errorf("let go early: %q", got)
	}

	var failed error
	d = holding(t, topology.UntilTimeLimit(time.Hour, held.MaxRecords(2).StopWhenFull()),
		topologytest.Failures(topology.Skip, topology.Skip, ""), // which this error is not to be passed over by
		topologytest.OnError(func(err error) { failed = err }))
	for i, k := range []string{"a", "b", "a"} {
		d.Pipe(heldIn, row(k, "1", int64(i)))
	}
	if failed != nil {
		t.Fatal(failed)
	}
	d.Pipe(heldIn, row("c", "1", 9))
	var full *topology.BufferFullError
	if !errors.As(failed, &full) || full.Buffer != "held" || full.Holds.Records != 3 || !strings.Contains(failed.Error(), "raise MaxRecords") {
		t.Errorf("%v", failed)
	}
}

// What a failed record let go is not gone: the next one lets it go.
func TestUndoneSuppression(t *testing.T) {
	t.Parallel()
	for _, final := range []bool{false, true} {
		bad := true
		check := func(k, v string) {
			if bad {
				panic("not now")
			}
		}
		b := topology.New()
		rows := b.Table(heldIn, store.KeyValue("rows", serde.String, serde.String))
		if final {
			topology.Windowed(b.From(heldIn), window.Tumbling(ms(10))).OnClose().
				Reduce(store.Window("w", serde.String, serde.String).Retention(time.Hour), func(acc, v string) string { return acc + v }).
				Stream().SelectKey(func(r topology.Record[window.Windowed[string], string]) string { return r.Key.Key }).
				Peek(check).To(heldOut)
		} else {
			rows.Suppress(topology.UntilTimeLimit(ms(10), store.Buffer("held", serde.String, serde.String).MaxRecords(9))).
				Stream().Peek(check).To(heldOut)
		}
		d := topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Skip, ""))
		d.Pipe(heldIn, row("a", "1", 1))
		d.Pipe(heldIn, row("b", "1", 2))
		d.Pipe(heldIn, row("c", "1", 50)) // fails, and so was never there
		bad = false
		d.Pipe(heldIn, row("d", "1", 30))
		if got := taken(d); got != "a=1@1 b=1@2" {
			t.Errorf("final %v: %q", final, got)
		}
	}
}

// The buffer's changelog marks its values as Kafka Streams does, and no tombstone.
func TestBufferChangelog(t *testing.T) {
	t.Parallel()
	d := holding(t, topology.UntilTimeLimit(ms(10), store.Buffer("held", serde.String, serde.String)))
	d.Pipe(heldIn, row("a", "1", 1))
	d.Pipe(heldIn, row("b", "1", 20))
	log := topology.NewTopic("test-held-changelog", serde.String, serde.Bytes)
	var got []string
	for _, r := range d.Take(log) {
		got = append(got, fmt.Sprint(r.Key, " ", r.NullValue, r.Headers))
	}
	if s := strings.Join(got, " "); s != "a false [{v [3]}] b false [{v [3]}] a true []" {
		t.Error(s)
	}
}

// A row that is held back reads as it was before.
func TestRowsOfSuppressed(t *testing.T) {
	t.Parallel()
	stream := topology.NewTopic("stream", serde.String, serde.String)
	b := topology.New()
	rows := b.Table(heldIn, store.KeyValue("rows", serde.String, serde.String)).
		Suppress(topology.UntilTimeLimit(ms(10), store.Buffer("held", serde.String, serde.String)))
	b.From(stream).LeftJoinTable(rows, func(_, v string, r topology.Opt[string]) string { return v + r.Or("-") }).To(heldOut)
	d := topologytest.New(t, b)
	d.Pipe(heldIn, row("a", "1", 1))
	d.Pipe(stream, row("a", "x", 2))
	d.Pipe(heldIn, row("b", "1", 20))
	d.Pipe(stream, row("a", "y", 21))
	d.Pipe(heldIn, row("a", "2", 22))
	d.Pipe(heldIn, row("a", "3", 23))
	d.Pipe(stream, row("a", "z", 24))
	if got := taken(d); got != "a=x-@2 a=y1@21 a=z1@24" {
		t.Error(got)
	}
}

// Final results know how windows close behind verbs that keep the keys, and leave out
// windows that were deleted.
func TestUntilWindowCloses(t *testing.T) {
	t.Parallel()
	b := topology.New()
	held := store.Buffer("held", serde.TimeWindowed(serde.String, ms(10)), serde.String)
	topology.Windowed(b.From(heldIn), window.Tumbling(ms(10)).Grace(ms(5))).
		Reduce(store.Window("w", serde.String, serde.String), func(acc, v string) string { return acc + v }).
		Filter(func(_ window.Windowed[string], v string) bool { return !strings.Contains(v, "!") }).
		MapValues(strings.ToUpper).
		Suppress(topology.UntilWindowCloses(held)).
		Stream().SelectKey(func(r topology.Record[window.Windowed[string], string]) string { return r.Key.String() }).
		To(heldOut)
	d := topologytest.New(t, b)
	for _, r := range []topology.Record[string, string]{row("a", "x", 1), row("b", "y", 2), row("b", "!", 3), row("a", "z", 12), row("a", "w", 9), row("c", "c", 14)} {
		d.Pipe(heldIn, r)
	}
	if got := taken(d); got != "" {
		t.Errorf("too early: %q", got)
	}
	d.Pipe(heldIn, row("c", "c", 15))
	if got := taken(d); got != "a@0/10=XW@9" {
		t.Error(got)
	}
}

// The windows of a join close when those of both its sides have.
func TestUntilJoinedWindowsClose(t *testing.T) {
	t.Parallel()
	b := topology.New()
	counted := func(in topology.Topic[string, string], name string, grace int64) topology.Table[window.Windowed[string], int64] {
		return topology.Windowed(b.From(in), window.Tumbling(ms(10)).Grace(ms(grace))).Count(store.Window(name, serde.String, serde.Int64))
	}
	held := store.Buffer("held", serde.TimeWindowed(serde.String, ms(10)), serde.String)
	counted(heldIn, "l", 2).
		LeftJoin(counted(letters, "r", 5), func(_ window.Windowed[string], l int64, r topology.Opt[int64]) string { return fmt.Sprint(l, r.Or(0)) }).
		Suppress(topology.UntilWindowCloses(held)).
		Stream().SelectKey(func(r topology.Record[window.Windowed[string], string]) string { return r.Key.String() }).
		To(heldOut)
	d := topologytest.New(t, b)
	d.Pipe(heldIn, row("a", "x", 1))
	d.Pipe(heldIn, row("b", "x", 13)) // closes the left window, not the right one
	d.Pipe(letters, row("a", "x", 4))
	if got := taken(d); got != "" {
		t.Errorf("too early: %q", got)
	}
	d.Pipe(heldIn, row("b", "x", 15))
	if got := taken(d); got != "a@0/10=1 1@4" {
		t.Error(got)
	}
}

func TestMistakesWithWindows(t *testing.T) {
	t.Parallel()
	key := serde.TimeWindowed(serde.String, ms(10))
	held := store.Buffer("held", key, serde.Int64)
	kept := store.Window("w", serde.String, serde.Int64)
	counts := topology.NewTopic("counts", key, serde.Int64)
	in := func(b *topology.Builder) topology.Stream[string, string] { return b.From(heldIn) }
	for want, build := range map[string]func(b *topology.Builder){
		"use UntilTimeLimit": func(b *topology.Builder) {
			b.Table(counts, store.KeyValue("counts", key, serde.Int64)).Suppress(topology.UntilWindowCloses(held))
		},
		"does not come from a windowed": func(b *topology.Builder) { // not both sides of the join do
			topology.Windowed(in(b), window.Tumbling(ms(10))).Count(kept).
				Join(b.Table(counts, store.KeyValue("counts", key, serde.Int64)), func(_ window.Windowed[string], l, _ int64) int64 { return l }).
				Suppress(topology.UntilWindowCloses(held))
		},
		"never end": func(b *topology.Builder) {
			topology.Windowed(in(b), window.Unlimited(time.Unix(0, 0))).Count(kept).Suppress(topology.UntilWindowCloses(held))
		},
		"add StopWhenFull": func(b *topology.Builder) {
			topology.Windowed(in(b), window.Tumbling(ms(10))).Count(kept).Suppress(topology.UntilWindowCloses(held.MaxRecords(1)))
		},
		"never emitted": func(b *topology.Builder) {
			topology.Windowed(in(b), window.Unlimited(time.Unix(0, 0))).OnClose().Count(kept)
		},
		"raise it, or leave it out": func(b *topology.Builder) {
			topology.Windowed(in(b), window.SlidingBy(ms(10)).Grace(ms(5))).Count(kept.Retention(ms(24)))
		},
		"advance by 20 ms":      func(b *topology.Builder) { topology.Windowed(in(b), window.Hopping(ms(10), ms(20))).Count(kept) },
		"-1 ms is negative":     func(b *topology.Builder) { topology.Windowed(in(b), window.Tumbling(ms(10)).Grace(ms(-1))).Count(kept) },
		"neither may be negati": func(b *topology.Builder) { topology.Sessions(in(b), window.Sessions(ms(-1))) },
		"use KeyBy": func(b *topology.Builder) {
			s := in(b).Map(func(k, v string) (string, string) { return v, k })
			topology.Sessions(s, window.Sessions(ms(10))).Count(store.Session("s", serde.String, serde.Int64))
		},
	} {
		b := topology.New()
		build(b)
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// On a topic, a windowed key goes where its key alone would go.
func TestPartitionOfWindowedKeys(t *testing.T) {
	t.Parallel()
	const partitions = 5
	b := topology.New()
	topology.Windowed(b.From(views), window.Tumbling(10*time.Second)).Count(store.Window("views", serde.String, serde.Int64)).Stream().To(viewsByTime)
	seen := 0
	b.From(viewsByTime).Process("where", func(c *topology.Context[string, int64]) (topology.Handler[window.Windowed[string], int64], error) {
		return func(r topology.Record[window.Windowed[string], int64]) error {
			m, _ := c.Metadata()
			if want := murmur.Partition([]byte(r.Key.Key), partitions); m.Partition != want {
				t.Errorf("%v is in partition %d, want %d", r.Key, m.Partition, want)
			}
			seen++
			return nil
		}, nil
	})
	d := topologytest.New(t, b, topologytest.Partitions(partitions))
	for i := range int64(40) {
		d.Pipe(views, second(fmt.Sprint("user-", i%7), i))
	}
	if seen != 40 {
		t.Errorf("%d seen", seen)
	}
	d.Pipe(viewsByTime, topology.Record[window.Windowed[string], int64]{Key: window.Windowed[string]{Key: "x"}, Time: time.Unix(99, 0)})
}
