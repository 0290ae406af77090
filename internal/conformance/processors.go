package conformance

import (
	"time"

	"github.com/leatstream/leat/pkg/topology"
)

type context = topology.Context[string, string]

type record = topology.Record[string, string]

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
