package worker

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/task"
)

// holding is a client in which something waits.
type holding struct {
	Client
	records, bytes int64
}

func (h holding) BufferedProduceRecords() int64 { return h.records }
func (h holding) BufferedProduceBytes() int64   { return h.bytes }

// A producer is full when what is sent next may have to wait: for room for records, or for bytes.
func TestFull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		records, bytes int64
		out            int
		full           bool
	}{
		{98, 10, 2, false},
		{99, 10, 2, true},
		{1, 750, 1, false},
		{1, 751, 1, true},
		{100, 1000, 0, false},
	} {
		p := &producer{cl: holding{records: c.records, bytes: c.bytes}, most: 100, room: 1000}
		if got := p.full(make([]task.Output, c.out)); got != c.full {
			t.Errorf("%d more to %d records of %d bytes: full %v", c.out, c.records, c.bytes, got)
		}
	}
}

// What outputs refer to is used again within their transaction once the brokers have it, and not before.
func TestBytesOfOutputsAreUsedAgain(t *testing.T) {
	for name, every := range map[string]int{"acknowledged by the chunk": slabSize, "acknowledged by the commit": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			inRig(t, func(t *testing.T, r *rig) {
				const records = 3000
				cl := &late{t: t, every: every, places: map[*byte]bool{}}
				r.rerun(func(_ int, inner *kgo.Client) Client {
					cl.Client = inner
					return cl
				})
				keys := make([]string, records)
				for i := range keys {
					keys[i] = fmt.Sprintf("%04d", i)
				}
				r.put(0, keys...)
				r.add(0, 0, repeater())
				r.feed(0)
				if n := r.requests(kmsg.EndTxn); n != 1 || cl.sent != records {
					t.Fatalf("%d records in %d transactions", cl.sent, n)
				}
				if again := len(cl.places) < records; again != (every == slabSize) {
					t.Errorf("%d values have lain in %d places", records, len(cl.places))
				}
			})
		})
	}
}

// repeater writes each key so often that the values fill pieces of an arena.
func repeater() *task.Sub {
	return &task.Sub{
		Sources: []task.Source{{Topic: task.Topic{Name: in}}},
		Nodes: []task.Node{{Name: "repeat", Open: func(t *task.Task) error {
			t.Feed(0, func(m *task.Message) error {
				return t.Send(task.Output{Topic: out, Partition: 0, Key: m.Key, Value: t.Arena().Copy(bytes.Repeat(m.Key, 256)), Time: m.Time})
			})
			return nil
		}}},
	}
}

// A late client sends so many records at a time, and looks whether they have changed meanwhile.
type late struct {
	*kgo.Client
	t      *testing.T
	every  int
	sent   int
	places map[*byte]bool // of values
	waits  []waiting
}

type waiting struct {
	r       *kgo.Record
	promise func(*kgo.Record, error)
	value   []byte
}

func (c *late) Produce(ctx context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	c.sent++
	c.places[unsafe.SliceData(r.Value)] = true
	c.waits = append(c.waits, waiting{r, promise, bytes.Clone(r.Value)})
	if len(c.waits) == c.every {
		if err := c.Flush(ctx); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *late) Flush(ctx context.Context) error {
	for _, w := range c.waits {
		if !bytes.Equal(w.r.Value, w.value) {
			c.t.Errorf("%.8s... has become %.8s...", w.value, w.r.Value)
		}
		c.Client.Produce(ctx, w.r, w.promise)
	}
	c.waits = nil
	return c.Client.Flush(ctx)
}
