package instance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// A simTopology is what the processes of a history run. What it does with the records
// of its inputs depends on nothing but their order in each partition and their times.
type simTopology struct {
	name     string
	plan     *task.Plan
	topics   []string // that the author creates
	policies task.Policies
	inputs   func(r *rand.Rand, n int) []simInput
	ticks    string // a topic, and a store, of wall-clock timers: counted from 1, without a gap
}

// A simInput is a record to come.
type simInput struct{ task.Output }

func (t *simTopology) build(b *topology.Builder) *simTopology {
	top, err := b.Build()
	if err != nil {
		panic(err)
	}
	t.plan = top.Plan()
	return t
}

var simTopologies = sync.OnceValue(func() []*simTopology {
	return []*simTopology{simCount(), simWindows(), simJoin(false), simJoin(true), simTimers()}
})

// simCount counts words, through a repartition topic, by a value that says where each
// comes from.
func simCount() *simTopology {
	lines := topology.NewTopic("lines", serde.String, serde.String)
	words := topology.NewRepartition("words", serde.String, serde.String)
	counts := topology.NewTopic("counts", serde.String, serde.String)
	b := topology.New()
	b.From(lines).
		FlatMapValues(func(line string) []string {
			number, text, _ := strings.Cut(line, ":")
			var out []string
			for i, word := range strings.Fields(text) {
				out = append(out, fmt.Sprintf("%s.%d:%s", number, i, word))
			}
			return out
		}).
		KeyBy(words, func(_, v string) string { return v[strings.IndexByte(v, ':')+1:] }).
		Aggregate(store.KeyValue("counts", serde.String, serde.String), func(acc, _, v string) string {
			n := 0
			_, _ = fmt.Sscan(acc, &n)
			return fmt.Sprint(n+1, " with ", v)
		}).
		Stream().To(counts)
	t := &simTopology{name: "count", topics: []string{"lines", "counts"}}
	t.inputs = func(r *rand.Rand, n int) (out []simInput) {
		for i := range n {
			text := fmt.Sprintf("%d:", i)
			for range 1 + r.IntN(3) {
				text += " " + string(rune('a'+r.IntN(5)))
			}
			out = append(out, simRecord("lines", r, fmt.Sprint(r.IntN(9)), text, int64(1000+i)))
		}
		return out
	}
	return t.build(b)
}

// simRecord is a record in any partition: of a topic whose keys mean nothing, or where
// only the order within a partition counts.
func simRecord(topic string, r *rand.Rand, key, value string, at int64) simInput {
	return simInput{task.Output{Topic: topic, Partition: r.Int32N(6), Key: []byte(key), Value: []byte(value), Time: at}}
}

// simWindows counts by key and window. Some records are late; stream time decides.
func simWindows() *simTopology {
	in := topology.NewTopic("events", serde.String, serde.String)
	out := topology.NewTopic("windows", serde.String, serde.String)
	b := topology.New()
	s := topology.Windowed(b.From(in), window.Tumbling(10*time.Second).Grace(5*time.Second)).
		Aggregate(store.Window("windows", serde.String, serde.String), func(acc, _, v string) string { return acc + v + ";" }).
		Stream()
	s.Map(func(k window.Windowed[string], v string) (string, string) {
		return k.Key, fmt.Sprintf("%d %s", k.Start, v)
	}).To(out)
	t := &simTopology{name: "windows", topics: []string{"events", "windows"}}
	t.inputs = func(r *rand.Rand, n int) (out []simInput) {
		at := int64(100_000)
		for i := range n {
			at += r.Int64N(6000)
			when := at
			if r.IntN(3) == 0 {
				when = max(0, at-r.Int64N(40_000))
			}
			out = append(out, simRecord("events", r, string(rune('a'+r.IntN(4))), fmt.Sprint(i), when))
		}
		return out
	}
	return t.build(b)
}

// simJoin joins a stream with a table, by time.
func simJoin(backed bool) *simTopology {
	left := topology.NewTopic("left", serde.String, serde.String)
	right := topology.NewTopic("right", serde.String, serde.String)
	out := topology.NewTopic("joined", serde.String, serde.String)
	t := &simTopology{name: "join", topics: []string{"left", "right", "joined"}}
	var opts []topology.TableOption
	if backed {
		t.name, opts = "join with a source as changelog", append(opts, topology.SourceAsChangelog())
	}
	b := topology.New()
	table := b.Table(right, store.KeyValue("right", serde.String, serde.String), opts...)
	b.From(left).
		LeftJoinTable(table, func(_, v string, row topology.Opt[string]) string { return v + " and " + row.Or("nothing") }).
		To(out)
	t.inputs = func(r *rand.Rand, n int) (out []simInput) {
		for i := range n {
			in := simRecord([]string{"left", "right"}[r.IntN(2)], r, string(rune('a'+r.IntN(4))), fmt.Sprint(i), int64(1000+3*i)-r.Int64N(20))
			if in.Topic == "right" && r.IntN(5) == 0 {
				in.Value = nil
			}
			out = append(out, in)
		}
		return out
	}
	return t.build(b)
}

var errBad = errors.New("a bad record")

// simTimers adds up values by key, and says the sums whenever so much of stream time
// has passed. A bad record is skipped, after it has done harm. Another store counts the
// ticks of the wall clock.
func simTimers() *simTopology {
	in := topology.NewTopic("values", serde.String, serde.Int64)
	sums := topology.NewTopic("sums", serde.String, serde.String)
	ticks := topology.NewTopic("ticks", serde.String, serde.Int64)
	sum := store.KeyValue("sums", serde.String, serde.Int64)
	ticked := store.KeyValue("ticks", serde.String, serde.Int64)
	b := topology.New()
	source := b.From(in)
	source.Process("sum", func(c *topology.Context[string, string]) (topology.Handler[string, int64], error) {
		acc := sum.Open(c)
		say := func(what string, now time.Time) error {
			text := what + " of " + c.TaskID() + ":"
			for e, err := range acc.All() {
				if err != nil {
					return err
				}
				text += fmt.Sprintf(" %s=%d", e.Key, e.Value)
			}
			return c.Emit(topology.Record[string, string]{Key: what, Value: text, Time: now})
		}
		c.Every(10*time.Second, topology.StreamTime, func(now time.Time) error { return say("ten", now) })
		c.Every(35*time.Second, topology.StreamTime, func(now time.Time) error { return say("many", now) })
		return func(r topology.Record[string, int64]) error {
			n, _, err := acc.Get(r.Key)
			if err != nil {
				return err
			}
			if err := acc.Put(r.Key, n+r.Value); err != nil {
				return err
			}
			if r.Value < 0 {
				return errors.Join(c.Emit(topology.Record[string, string]{Key: "bad", Value: "bad", Time: r.Time}), errBad)
			}
			return nil
		}, nil
	}, sum).To(sums)
	source.Process("tick", func(c *topology.Context[string, int64]) (topology.Handler[string, int64], error) {
		count := ticked.Open(c)
		c.Every(20*time.Second, topology.WallClock, func(now time.Time) error {
			n, _, err := count.Get(c.TaskID())
			if err != nil {
				return err
			}
			return errors.Join(
				count.Put(c.TaskID(), n+1),
				c.Emit(topology.Record[string, int64]{Key: c.TaskID(), Value: n + 1, Time: now}))
		})
		return func(topology.Record[string, int64]) error { return nil }, nil
	}, ticked).To(ticks)
	t := &simTopology{name: "timers", topics: []string{"values", "sums", "ticks"}, ticks: "ticks", policies: task.Policies{Process: task.Skip}}
	t.inputs = func(r *rand.Rand, n int) (out []simInput) {
		at := int64(50_000)
		for range n {
			at += r.Int64N(9000)
			value := int64(1 + r.IntN(9))
			if r.IntN(6) == 0 {
				value = -1
			}
			rec := simRecord("values", r, string(rune('a'+r.IntN(3))), "", at-r.Int64N(3000))
			rec.Value, _ = serde.Int64.Append(nil, value)
			out = append(out, rec)
		}
		return out
	}
	return t.build(b)
}
