package topology_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

var (
	lines  = topology.NewTopic("lines", serde.String, serde.String)
	output = topology.NewTopic("word-counts", serde.String, serde.Int64)
	words  = topology.NewRepartition("words", serde.String, serde.String)
	counts = store.KeyValue("counts", serde.String, serde.Int64)
)

func wordCount(opts ...topology.TableOption) *topology.Builder {
	b := topology.New()
	b.From(lines).
		FlatMapValues(strings.Fields).
		KeyBy(words, func(_, w string) string { return w }).
		Count(counts, opts...).
		Stream().
		To(output)
	return b
}

// pairs prints records as key=value, a null as key=null.
func pairs[V any](rs []topology.Record[string, V]) (out []string) {
	for _, r := range rs {
		if r.NullValue {
			out = append(out, r.Key+"=null")
		} else {
			out = append(out, fmt.Sprintf("%s=%v", r.Key, r.Value))
		}
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWordCount(t *testing.T) {
	t.Parallel()
	d := topologytest.New(t, wordCount())
	d.Send(lines, "", "the quick the")
	expect(t, pairs(d.Take(output)), "the=1", "quick=1", "the=2")
	if n, ok, err := counts.Open(d).Get("the"); n != 2 || !ok || err != nil {
		t.Errorf("store: the = %d, %v, %v", n, ok, err)
	}
	d.Restart(topologytest.LoseState)
	d.Send(lines, "", "the")
	expect(t, pairs(d.Take(output)), "the=3")
	d.Restart(topologytest.KeepState)
	d.Send(lines, "", "the quick")
	expect(t, pairs(d.Take(output)), "the=4", "quick=2")
}

func TestCrashLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
		d := topologytest.New(t, wordCount(), topologytest.CommitEvery(3), topologytest.Partitions(3))
		for i := range 50 {
			d.Send(lines, fmt.Sprint(i), "a b")
			if i%7 == 5 {
				d.Crash(local)
			}
		}
		d.Commit()
		last := map[string]int64{}
		for _, r := range d.Take(output) {
			if r.Value != last[r.Key]+1 {
				t.Errorf("%s went from %d to %d", r.Key, last[r.Key], r.Value)
			}
			last[r.Key] = r.Value
		}
		if last["a"] != 50 || last["b"] != 50 {
			t.Errorf("local=%v: %v", local, last)
		}
	}
}

func TestCoalesced(t *testing.T) {
	t.Parallel()
	d := topologytest.New(t, wordCount(topology.Coalesced()), topologytest.CommitEvery(2))
	d.Send(lines, "", "a b a")
	expect(t, pairs(d.Take(output)))
	d.Send(lines, "", "a")
	expect(t, pairs(d.Take(output)), "b=1", "a=3")
}

func TestStateless(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.String)
	more := topology.NewTopic("more", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)
	big := topology.NewTopic("big", serde.String, serde.String)
	var peeked, each []string
	b := topology.New()
	arms := b.From(in, more).
		Filter(func(_, v string) bool { return v != "drop" }).
		MapValues(strings.ToUpper).
		Peek(func(_, v string) { peeked = append(peeked, v) }).
		Map(func(k, v string) (string, string) { return v, k }).
		FlatMap(func(k, v string, emit func(string, string)) { emit(k, v); emit(k+"2", v) }).
		Branch(func(k, _ string) bool { return strings.HasPrefix(k, "A") })
	arms[0].Merge(arms[1].MapValues(func(v string) string { return "other " + v })).
		ToEach(func(r topology.Record[string, string]) topology.Topic[string, string] {
			if len(r.Key) > 3 {
				return big
			}
			return out
		})
	arms[1].ForEach(func(k, _ string) { each = append(each, k) })

	d := topologytest.New(t, b)
	d.Send(in, "k", "a")
	d.Send(more, "k", "b")
	d.Send(in, "k", "drop")
	d.Send(in, "k", "along")
	d.Pipe(in, topology.Record[string, string]{Key: "k", NullValue: true})
	expect(t, pairs(d.Take(out)), "A=k", "A2=k", "B=other k", "B2=other k")
	expect(t, pairs(d.Take(big)), "ALONG=k", "ALONG2=k")
	expect(t, peeked, "A", "B", "ALONG")
	expect(t, each, "B", "B2")
	if got := d.Dropped()["null_value"]; got != 1 {
		t.Errorf("dropped for a null value: %d, want 1", got)
	}
}

func TestAggregateReduceJoin(t *testing.T) {
	t.Parallel()
	type total struct{ N, Sum int64 }
	sales := topology.NewTopic("sales", serde.String, serde.Int64)
	prices := topology.NewTopic("prices", serde.String, serde.Int64)
	totals := topology.NewTopic("totals", serde.String, serde.JSON[total]())
	maxima := topology.NewTopic("maxima", serde.String, serde.Int64)
	priced := topology.NewTopic("priced", serde.String, serde.String)
	b := topology.New()
	s := b.From(sales)
	s.Aggregate(store.KeyValue("totals", serde.String, serde.JSON[total]()), func(a total, _ string, v int64) total {
		return total{a.N + 1, a.Sum + v}
	}).Stream().To(totals)
	s.Reduce(store.KeyValue("maxima", serde.String, serde.Int64), func(a, v int64) int64 { return max(a, v) }).Stream().To(maxima)
	table := b.Table(prices, store.KeyValue("prices", serde.String, serde.Int64))
	s.JoinTable(table, func(_ string, v, price int64) string { return fmt.Sprint(v, "@", price) }).To(priced)
	s.LeftJoinTable(table, func(_ string, v int64, row topology.Opt[int64]) string {
		price, ok := row.Get()
		return fmt.Sprint("left ", v, "@", price, " ", ok)
	}).To(priced)

	d := topologytest.New(t, b)
	d.Send(sales, "x", 5)
	d.Send(prices, "x", 7)
	d.Send(sales, "x", 3)
	d.Pipe(prices, topology.Record[string, int64]{Key: "x", NullValue: true})
	d.Send(sales, "x", 9)
	expect(t, pairs(d.Take(totals)), "x={1 5}", "x={2 8}", "x={3 17}")
	expect(t, pairs(d.Take(maxima)), "x=5", "x=5", "x=9")
	expect(t, pairs(d.Take(priced)), "x=left 5@0 false", "x=3@7", "x=left 3@7 true", "x=left 9@0 false")
}

func TestProcess(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)
	seen := store.KeyValue("seen", serde.String, serde.String)
	b := topology.New()
	b.From(in).Process("gather", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
		st := seen.Open(c)
		c.Every(time.Second, topology.StreamTime, func(now time.Time) error {
			for e, err := range st.All() {
				if err != nil {
					return err
				}
				if err := c.Emit(topology.Record[string, string]{Key: e.Key, Value: e.Value, Time: now}); err != nil {
					return err
				}
				if err := st.Delete(e.Key); err != nil {
					return err
				}
			}
			return nil
		})
		c.Every(time.Minute, topology.WallClock, func(now time.Time) error {
			return c.Emit(topology.Record[string, string]{Key: "tick", Value: now.Format(time.TimeOnly), Time: now})
		})
		return func(r topology.Record[string, string]) error {
			m, _ := c.Metadata()
			return st.Put(r.Key, fmt.Sprint(r.Value, "@", m.Offset))
		}, nil
	}, seen).To(out)

	d := topologytest.New(t, b)
	at := func(ms int64, k, v string) {
		d.Pipe(in, topology.Record[string, string]{Key: k, Value: v, Time: time.UnixMilli(ms)})
	}
	at(100, "b", "1") // the first record fires the timer, at stream time 100
	expect(t, pairs(d.Take(out)), "b=1@0")
	at(500, "b", "2")
	at(600, "a", "3")
	expect(t, pairs(d.Take(out)))
	d.Restart(topologytest.LoseState) // neither the state nor the schedule is lost
	at(900, "c", "4")
	expect(t, pairs(d.Take(out)))
	at(1000, "c", "5")
	expect(t, pairs(d.Take(out)), "a=3@2", "b=2@1", "c=5@4")
	d.Advance(time.Minute)
	expect(t, pairs(d.Take(out)), "tick=00:01:00")
}

func TestFailurePolicies(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.Int64)
	out := topology.NewTopic("out", serde.String, serde.Int64)
	dead := topology.NewTopic("dead", serde.String, serde.String)
	sums := store.KeyValue("sums", serde.String, serde.Int64)
	build := func() *topology.Builder {
		b := topology.New()
		b.From(in).
			Aggregate(sums, func(a int64, _ string, v int64) int64 { return a + v }).Stream().
			Peek(func(_ string, v int64) {
				if v == 3 {
					panic("three")
				}
			}).To(out)
		return b
	}
	raw := topology.NewTopic("in", serde.String, serde.String)

	d := topologytest.New(t, build(), topologytest.Failures(topology.DeadLetter, topology.Skip, "dead"))
	d.Send(in, "a", 1)
	d.Send(in, "a", 2) // the sum is 3: undone
	d.Send(raw, "a", "junk")
	d.Send(in, "a", 4)
	expect(t, pairs(d.Take(out)), "a=1", "a=5")
	letters := d.Take(dead)
	expect(t, pairs(letters), "a=junk")
	headers := map[string]string{}
	for _, h := range letters[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	if headers["__streams.errors.topic"] != "in" || headers["__streams.errors.offset"] != "2" {
		t.Errorf("headers of the dead letter: %v", headers)
	}
	if got := d.Dropped(); got["failed"] != 1 || got["dead_letter"] != 1 {
		t.Errorf("dropped: %v", got)
	}

	var failed error
	d = topologytest.New(t, build(), topologytest.OnError(func(err error) { failed = err }))
	d.Send(in, "a", 3)
	var te *topology.Error
	if !errors.As(failed, &te) || te.Topic != "in" || te.Offset != 0 || te.Node == "" || !errors.Is(failed, topology.ErrPanic) {
		t.Errorf("error: %v", failed)
	}
}

func TestBuildReportsEveryMistake(t *testing.T) {
	t.Parallel()
	b := topology.New()
	s := b.From(lines)
	s.Map(func(k, v string) (string, string) { return v, k }).Count(counts)
	s.Count(counts)
	s.To(lines)
	b.From(topology.NewTopic("bad name", serde.String, serde.String))
	_, err := b.Build()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"use KeyBy", `store "counts" belongs to`, "the loop never ends", `"bad name" is not legal`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from:\n%v", want, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	top, err := wordCount().Build()
	if err != nil {
		t.Fatal(err)
	}
	const want = `sub-topology 0
  reads  lines
  lines (source)
  flat-map-values-1 <- lines
  key-by-2 <- flat-map-values-1
  words-sink (repartition) <- key-by-2 -> <application>-words-repartition
sub-topology 1
  reads  <application>-words-repartition
  keeps  counts (changelog <application>-counts-changelog)
  words (source)
  count-input-5 <- words
  counts (count) <- count-input-5 [counts]
  to-stream-7 <- counts
  sink-8 <- to-stream-7 -> word-counts
`
	if got := top.Describe(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := top.Mermaid(); !strings.Contains(got, `st_counts[("counts")]`) {
		t.Error(got)
	}
}

func TestSourceAsChangelog(t *testing.T) {
	t.Parallel()
	limits := topology.NewTopic("limits", serde.String, serde.Int64)
	asks := topology.NewTopic("asks", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.Int64)
	rows := store.KeyValue("limits", serde.String, serde.Int64)
	b := topology.New()
	table := b.Table(limits, rows, topology.SourceAsChangelog())
	b.From(asks).JoinTable(table, func(_, _ string, n int64) int64 { return n }).To(out)

	d := topologytest.New(t, b)
	d.Send(limits, "a", 1)
	d.Send(limits, "a", 2)
	d.Pipe(limits, topology.Record[string, int64]{NullKey: true, Value: 9})
	for _, local := range []topologytest.Local{topologytest.LoseState, topologytest.KeepState} {
		d.Restart(local)
		d.Send(asks, "a", "?")
	}
	expect(t, pairs(d.Take(out)), "a=2", "a=2")

	b = topology.New()
	b.From(limits).Table(rows, topology.SourceAsChangelog())
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "only Builder.Table") {
		t.Errorf("err = %v", err)
	}
}

// Null is null and empty is empty, through bytes, stores and restarts.
func TestNullAndEmptyAreDifferent(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.Bytes)
	out := topology.NewTopic("out", serde.String, serde.Bytes)
	rows := store.KeyValue("rows", serde.String, serde.Bytes)
	b := topology.New()
	b.Table(in, rows).Stream().
		MapValues(func(v []byte) []byte {
			if string(v) == "nil" {
				return nil
			}
			return v
		}).To(out)

	d := topologytest.New(t, b)
	d.Send(in, "empty", []byte{})
	d.Send(in, "nil", []byte("nil"))
	d.Send(in, "gone", []byte("x"))
	d.Send(in, "gone", nil)
	d.Restart(topologytest.LoseState)
	var got []string
	for _, r := range d.Take(out) {
		got = append(got, fmt.Sprintf("%s null=%v", r.Key, r.NullValue))
	}
	expect(t, got, "empty null=false", "nil null=true", "gone null=false", "gone null=true")
	for key, want := range map[string]bool{"empty": true, "nil": true, "gone": false} {
		if v, ok, err := rows.Open(d).Get(key); ok != want || err != nil || ok && v == nil {
			t.Errorf("restored %s: %v, %v, %v", key, v, ok, err)
		}
	}
}
