package topology_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

type (
	textContext = topology.Context[string, string]
	textHandler = topology.Handler[string, string]
	textRecord  = topology.Record[string, string]
)

// A processor that keeps the keys needs no repartition behind it, may emit from a timer
// what it has kept, and passes on a record without a key.
func TestProcessValues(t *testing.T) {
	t.Parallel()
	b := topology.New()
	var last topology.FixedKeyRecord[string, string]
	b.From(letters).ProcessValues("lengths", func(c *topology.FixedKeyContext[string, int64]) (func(topology.FixedKeyRecord[string, string]) error, error) {
		c.Every(time.Second, topology.WallClock, func(time.Time) error { return c.Emit(last.With(int64(100))) })
		return func(r topology.FixedKeyRecord[string, string]) error {
			if last = r; r.NullValue {
				o := r.With(int64(0))
				o.NullValue = true
				return c.Emit(o)
			}
			return c.Emit(r.With(int64(len(r.Value))))
		}, nil
	}).Reduce(store.KeyValue("sums", serde.String, serde.Int64), func(a, n int64) int64 { return a + n }).
		Stream().MapValues(func(n int64) string { return fmt.Sprint(n) }).To(result)
	d := topologytest.New(t, b)
	expect(t, steps(d, "letters a=xx", "letters a=yyy", "letters b=null"), "a=2", "a=5", "")
	d.Pipe(letters, textRecord{NullKey: true, Value: "x"})
	if dropped := d.Dropped(); dropped["null_key"] != 1 || dropped["null_value"] != 1 {
		t.Errorf("dropped %v", dropped)
	}
	expect(t, steps(d, "letters a=z"), "a=6")
	d.Advance(time.Second)
	expect(t, pairs(d.Take(result)), "a=106")
}

// A processor reads the stores of other operators, of any kind, in the state that these
// have just made.
func TestForReading(t *testing.T) {
	t.Parallel()
	rows, totals := text("rows"), store.Window("totals", serde.String, serde.Int64)
	stays, prices := store.Session("stays", serde.String, serde.Int64), store.Versioned("prices", serde.String, serde.String, time.Hour)
	b := topology.New()
	b.Table(letters, rows, topology.SourceAsChangelog())
	topology.Windowed(b.From(digits), window.Tumbling(ms(10))).Count(totals)
	topology.Sessions(b.From(digits), window.Sessions(ms(10))).Count(stays)
	b.From(digits).Table(prices)
	open := func(c *textContext) (textHandler, error) {
		rows, totals, stays, prices := rows.Reader(c), totals.Sized(10).Reader(c), stays.Reader(c), prices.Reader(c)
		return func(r textRecord) error {
			row, _, err := rows.Get(r.Key)
			if err != nil {
				return err
			}
			n, _, err := totals.Get(r.Key, time.UnixMilli(0))
			if err != nil {
				return err
			}
			var stay int64
			for e, err := range stays.Fetch(r.Key, time.UnixMilli(0), time.UnixMilli(10)) {
				if err != nil {
					return err
				}
				stay = e.Value
			}
			price, _, err := prices.GetAsOf(r.Key, r.Time)
			if err != nil {
				return err
			}
			r.Value = fmt.Sprintf("%s %d %d %s", row, n, stay, price)
			return c.Emit(r)
		}, nil
	}
	b.From(digits).Process("read", open, store.ForReading(rows), store.ForReading(totals), store.ForReading(stays), store.ForReading(prices)).To(result)
	d := topologytest.New(t, b)
	expect(t, steps(d, "letters k=r", "digits k=7", "digits k=8", "letters k=s", "digits k=9"), "", "k=r 1 1 7", "k=r 2 2 8", "", "k=s 3 3 9")
}

// A store that is named for reading cannot be opened for writing, one that nobody writes
// not be read, and one whose changelog is a topic of others not be written.
func TestForReadingMistakes(t *testing.T) {
	t.Parallel()
	read := func(*textContext) (textHandler, error) {
		return func(textRecord) error { return nil }, nil
	}
	for want, build := range map[string]func(b *topology.Builder){
		"which nothing writes": func(b *topology.Builder) {
			b.From(digits).Process("p", read, store.ForReading(text("rows")))
		},
		"of another kind": func(b *topology.Builder) {
			b.From(letters).Table(text("rows"))
			b.From(digits).Process("p", read, store.ForReading(store.Session("rows", serde.String, serde.String)))
		},
		"name it by store.ForReading": func(b *topology.Builder) {
			b.Table(letters, text("rows"), topology.SourceAsChangelog())
			b.From(digits).Process("p", read, text("rows"))
		},
		"open the table by GlobalTable.Open": func(b *topology.Builder) {
			b.From(digits).Process("p", read, text("rows")) // before the table is declared
			b.GlobalTable(letters, text("rows"))
		},
		"leave it out": func(b *topology.Builder) {
			b.GlobalTable(letters, text("rows"))
			b.From(digits).Process("p", read, store.ForReading(text("rows")))
		},
	} {
		b := topology.New()
		build(b)
		_, err := b.Build()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%q: %v", want, err)
		}
	}
	b := topology.New()
	b.From(letters).Table(text("rows"))
	b.From(digits).Process("p", func(c *textContext) (textHandler, error) {
		text("rows").Open(c)
		return nil, nil
	}, store.ForReading(text("rows")))
	var failed error
	topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
	if failed == nil || !strings.Contains(failed.Error(), "for reading") {
		t.Error(failed)
	}
}

// A record that was held back, by a suppression or by the grace period of a join, has the
// metadata that it came with, and what is written for it has its time.
func TestMetadataOfWhatWaited(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]func(b *topology.Builder) topology.Stream[string, string]{
		"suppression": func(b *topology.Builder) topology.Stream[string, string] {
			return b.Table(letters, text("rows")).Suppress(topology.UntilTimeLimit(ms(5), store.Buffer("held", serde.String, serde.String))).Stream()
		},
		"grace": func(b *topology.Builder) topology.Stream[string, string] {
			rows := b.Table(digits, store.Versioned("rows", serde.String, serde.String, time.Hour))
			return b.From(letters).LeftJoinTable(rows, leftPair, topology.Grace(ms(5), store.Queue("j", serde.String, serde.String)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := store.KeyValue("seen", serde.String, serde.Int64)
			b := topology.New()
			hold(b).Process("metadata", func(c *textContext) (textHandler, error) {
				kept := seen.Open(c)
				return func(r textRecord) error {
					m, ok := c.Metadata()
					r.Value = fmt.Sprint(m.Topic, m.Partition, m.Offset, ok)
					if err := kept.Put(r.Key, m.Offset); err != nil {
						return err
					}
					return c.Emit(r)
				}, nil
			}, seen).To(result)
			d := topologytest.New(t, b)
			d.Pipe(letters, row("a", "1", 1))
			d.Restart(topologytest.LoseState)
			d.Pipe(letters, row("b", "1", 2))
			d.Pipe(letters, row("c", "1", 7))
			expect(t, pairs(d.Take(result)), "a=letters0 0 true", "b=letters0 1 true")
			for e, err := range seen.Open(d).All() {
				if err != nil || e.Time.UnixMilli() != e.Value+1 {
					t.Errorf("%s was written at %v, %v", e.Key, e.Time, err)
				}
			}
		})
	}
}

// How long ago each sensor was heard of before; behind it the keys are what they were.
func ExampleStream_ProcessValues() {
	heard := topology.NewTopic("heard", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)
	last := store.KeyValue("last", serde.String, serde.Int64)

	b := topology.New()
	b.From(heard).
		ProcessValues("pauses", func(c *topology.FixedKeyContext[string, int64]) (func(topology.FixedKeyRecord[string, string]) error, error) {
			rows := last.Open(c)
			return func(r topology.FixedKeyRecord[string, string]) error {
				sensor, _ := r.Key()
				before, known, err := rows.Get(sensor)
				if err != nil {
					return err
				}
				if err := rows.Put(sensor, r.Time.UnixMilli()); err != nil || !known {
					return err
				}
				return c.Emit(r.With(r.Time.UnixMilli() - before))
			}, nil
		}, last).
		Reduce(store.KeyValue("longest", serde.String, serde.Int64), func(a, b int64) int64 { return max(a, b) }).
		Stream().
		MapValues(func(ms int64) string { return fmt.Sprint(ms, " ms") }).
		To(out)

	d := topologytest.New(new(testing.T), b)
	for _, at := range []int64{0, 40, 50} {
		d.Pipe(heard, topology.Record[string, string]{Key: "door", Time: time.UnixMilli(at)})
	}
	show(d, out)
	// Output:
	// door 40 ms
	// door 40 ms
}

// Who is looked at is looked up in what another operator has counted.
func ExampleProcessing_ReadStore() {
	views, asked := topology.NewTopic("views", serde.String, serde.String), topology.NewTopic("asked", serde.String, serde.String)
	out := topology.NewTopic("out", serde.String, serde.String)
	counts := store.KeyValue("counts", serde.String, serde.Int64)

	b := topology.New()
	b.From(views).Count(counts)
	b.From(asked).
		Process("answer", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
			views := counts.Reader(c)
			return func(r topology.Record[string, string]) error {
				n, _, err := views.Get(r.Key)
				if err != nil {
					return err
				}
				r.Value = fmt.Sprint(n, " views")
				return c.Emit(r)
			}, nil
		}, store.ForReading(counts)).
		To(out)

	d := topologytest.New(new(testing.T), b)
	d.Send(views, "home", "ann")
	d.Send(views, "home", "bob")
	d.Send(asked, "home", "")
	show(d, out)
	// Output:
	// home 2 views
}

// What a processor makes without a time is refused, and not written as of the year 1.
func TestEmitWithoutTime(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.From(letters).Process("p", func(c *textContext) (textHandler, error) {
		return func(r textRecord) error { return c.Emit(textRecord{Key: r.Key, Value: r.Value}) }, nil
	}).To(result)
	var failed error
	d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
	d.Send(letters, "a", "1")
	if where := new(topology.Error); !errors.As(failed, &where) || where.Node != "p" || !strings.Contains(failed.Error(), "before the epoch") {
		t.Errorf("failed with %v", failed)
	}
}
