package conformance

import (
	"strings"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

type context = topology.Context[string, string]

type record = topology.Record[string, string]

type fixedContext = topology.FixedKeyContext[string, string]

type fixedRecord = topology.FixedKeyRecord[string, string]

var processors = family{
	"processor-streamtime-punctuator": func(b *topology.Builder) {
		kept := texts("ps")
		b.From(topic("in")).Process("p", func(c *context) (topology.Handler[string, string], error) {
			c.Every(time.Second, topology.StreamTime, func(now time.Time) error { return release(c, now) })
			rows := kept.Open(c)
			return func(r record) error { return rows.Put(r.Key, r.Value) }, nil
		}, kept).To(topic("out"))
	},
	"processor-wallclock-punctuator": func(b *topology.Builder) {
		kept := texts("ps")
		b.From(topic("in")).Process("p", func(c *context) (topology.Handler[string, string], error) {
			c.Every(time.Second, topology.WallClock, func(now time.Time) error { return release(c, now) })
			rows := kept.Open(c)
			return func(r record) error {
				old, _, err := rows.Get(r.Key)
				if err != nil {
					return err
				}
				return rows.Put(r.Key, old+r.Value)
			}, nil
		}, kept).To(topic("out"))
	},
	"process-values": func(b *topology.Builder) {
		remembers(b, texts("kept")).Reduce(texts("s"), plusText).Stream().To(topic("out"))
	},
	"lru-processor": func(b *topology.Builder) { remembers(b, recent("kept", 3)).To(topic("out")) },
	"lru-reduce": func(b *topology.Builder) {
		b.From(topic("in")).Reduce(recent("s", 3), plusText).Stream().To(topic("out"))
	},
	"lru-table-join": func(b *topology.Builder) {
		b.From(topic("left")).LeftJoinTable(b.Table(topic("right"), recent("s", 2)), leftConcat).To(topic("out"))
	},
	"shared-store": func(b *topology.Builder) {
		rows, counts := texts("right-store"), numbers("n")
		b.Table(topic("right"), rows)
		left := b.From(topic("left"))
		left.Count(counts)
		left.Process("look", func(c *context) (topology.Handler[string, string], error) {
			rows, counts := rows.Reader(c), counts.Reader(c)
			return func(r record) error {
				row, found, err := rows.Get(r.Key)
				if err != nil {
					return err
				}
				n, counted, err := counts.Get(r.Key)
				if err != nil {
					return err
				}
				if !found {
					row = "null"
				}
				num := topology.None[int64]()
				if counted {
					num = topology.Some(n)
				}
				if r.NullValue {
					r.Value, r.NullValue = "null", false
				}
				r.Value += "/" + row + "/" + numberText(num)
				return c.Emit(r)
			}, nil
		}, store.ForReading(rows), store.ForReading(counts)).To(topic("out"))
	},
}

func recent(name string, most int) store.KV[string, string] {
	return store.LRU(name, most, serde.String, serde.String)
}

// remembers emits what was kept of a key, and keeps what does not end with a question
// mark.
func remembers(b *topology.Builder, kept store.KV[string, string]) topology.Stream[string, string] {
	return b.From(topic("in")).ProcessValues("p", func(c *fixedContext) (func(fixedRecord) error, error) {
		rows := kept.Open(c)
		return func(r fixedRecord) error {
			k, _ := r.Key()
			old, found, err := rows.Get(k)
			if err != nil {
				return err
			}
			if !found {
				old = "-"
			}
			if !strings.HasSuffix(r.Value, "?") {
				err = rows.Put(k, r.Value)
			}
			if err != nil {
				return err
			}
			return c.Emit(r.With(old))
		}, nil
	}, kept)
}

// release emits every entry of the processors' store and deletes it.
func release(c *context, now time.Time) error {
	rows := texts("ps").Open(c)
	for e, err := range rows.All() {
		if err != nil {
			return err
		}
		if err := c.Emit(record{Key: e.Key, Value: e.Value, Time: now}); err != nil {
			return err
		}
		if err := rows.Delete(e.Key); err != nil {
			return err
		}
	}
	return nil
}
