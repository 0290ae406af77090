package instance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
)

const (
	crowd = 200 // partitions that lag
	deep  = 2   // records of each partition

	// Bytes of a record, and what of the budget there is for each. Every buffer of more than 64 KiB takes the race detector
	// milliseconds, but where records are small the heap's growth says nothing.
	large  = 600 << 10
	medium = 56 << 10
	budget = 70
)

// A crowded is a process that finds large records in more partitions than it has room for
// batches.
type crowded struct {
	*world
	size  int // of each record
	in    *Instance
	stop  func()
	base  int64 // heap before it began
	fails func(partition int) error

	mu   sync.Mutex
	seen map[string]int // records by partition, of all topics
	peak struct{ held, heap int64 }
}

// newCrowded runs one over some topics whose partitions of one number belong to one task.
func newCrowded(t *testing.T, size int, topics ...string) *crowded {
	t.Helper()
	c := &crowded{size: size, world: newWorld(t, int32(crowd/len(topics)), append(topics, "out")...), seen: map[string]int{}}
	c.fill(topics)
	b := topology.New()
	in := b.From(topology.NewTopic(topics[0], serde.String, serde.Bytes))
	for _, name := range topics[1:] {
		in = in.Merge(b.From(topology.NewTopic(name, serde.String, serde.Bytes)))
	}
	in.Process("look", func(*topology.Context[string, string]) (topology.Handler[string, []byte], error) {
		return c.look, nil
	}).To(topology.NewTopic("out", serde.String, serde.String))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	cfg := c.config(top.Plan())
	cfg.MemoryBudget = int64(size * budget)
	cfg.Policies.Retry = task.Retry{Times: 1000, Backoff: 1000, Max: 60_000}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.base = int64(m.HeapAlloc)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in, c.stop = c.start(cfg)
	return c
}

// fill writes the records, of one timestamp in all topics and partitions after the other.
func (c *crowded) fill(topics []string) {
	cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedBytes(16<<20), kgo.ProducerBatchMaxBytes(int32(c.size+1000)))
	defer cl.Close()
	value := make([]byte, c.size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(value) // never fails
	for i := range deep {
		for p := range int32(crowd / len(topics)) {
			for _, topic := range topics {
				cl.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: p, Key: fmt.Append(nil, p), Value: value, Timestamp: time.Unix(int64(1000+i), 0)}, func(_ *kgo.Record, err error) {
					if err != nil {
						c.t.Error(err)
					}
				})
			}
		}
	}
	if err := cl.Flush(context.Background()); err != nil {
		c.t.Fatal(err)
	}
}

// look is the code of the topology.
func (c *crowded) look(r topology.Record[string, []byte]) error {
	var p int
	if _, err := fmt.Sscan(r.Key, &p); err != nil {
		return err
	}
	c.mu.Lock()
	fails := c.fails
	c.mu.Unlock()
	if fails != nil {
		if err := fails(p); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peak.held = max(c.peak.held, c.in.fetcher.Held())
	if len(c.seen)%8 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.peak.heap = max(c.peak.heap, int64(m.HeapAlloc)-c.base)
	}
	c.seen[r.Key]++
	return nil
}

// await waits until all records of the partitions from one on have been processed.
func (c *crowded) await(from, partitions, records int) {
	c.t.Helper()
	var missing []string
	for range 3600 {
		time.Sleep(time.Second)
		c.mu.Lock()
		missing = missing[:0]
		for p := from; p < partitions; p++ {
			if n := c.seen[fmt.Sprint(p)]; n != records {
				missing = append(missing, fmt.Sprintf("%d: %d", p, n))
			}
		}
		c.mu.Unlock()
		if len(missing) == 0 {
			return
		}
	}
	c.t.Errorf("after an hour these partitions have so many records: %v", missing)
}

// check sees that what was read has never taken more than its room.
func (c *crowded) check() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	room := c.in.cfg.readAhead()
	c.t.Logf("with room for %d KiB: at most %d KiB were held, and the heap grew by %d KiB", room>>10, c.peak.held>>10, c.peak.heap>>10)
	if c.peak.held > room || c.peak.held < int64(c.size) {
		c.t.Errorf("%d bytes were held, with room for %d", c.peak.held, room)
	}
	if c.size == large && c.peak.heap > 4*room { // the brokers' buffers are in it, and fetch sessions that ended
		c.t.Errorf("the heap grew by %d bytes, with room for %d", c.peak.heap, room)
	}
}

// Whatever lags, what is read ahead of the tasks keeps to its room, and every task gets on.
func TestCrowd(t *testing.T) {
	for name, cs := range map[string]struct {
		size   int
		topics []string
	}{
		"one input": {medium, []string{"lines"}}, "two inputs": {medium, []string{"lines", "more"}},
		"two inputs, large records": {large, []string{"lines", "more"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowded(t, cs.size, cs.topics...)
				c.await(0, crowd/len(cs.topics), deep*len(cs.topics))
				c.check()
				c.stop()
			})
		})
	}
}

// Tasks that are paused do not keep the room that others need.
func TestCrowdWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowded(t, medium, "lines")
		var paused []kafka.TopicPartition
		for p := range int32(crowd / 2) {
			paused = append(paused, kafka.TopicPartition{Topic: "lines", Partition: p})
		}
		for c.in.Pause(true, paused...) != nil {
			time.Sleep(time.Millisecond) // it has not begun
		}
		c.await(crowd/2, crowd, deep)
		if err := c.in.Pause(false, paused...); err != nil {
			t.Error(err)
		}
		c.await(0, crowd, deep)
		c.check()
		c.stop()
	})
}

// Neither do tasks whose records are to be tried again.
func TestCrowdWithRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowded(t, medium, "lines")
		until := time.Now().Add(5 * time.Minute)
		c.mu.Lock()
		c.fails = func(p int) error {
			if p < crowd/2 && time.Now().Before(until) {
				return errors.New("not yet")
			}
			return nil
		}
		c.mu.Unlock()
		c.await(crowd/2, crowd, deep)
		if time.Now().After(until) {
			t.Error("they had to wait")
		}
		c.await(0, crowd, deep)
		c.check()
		c.stop()
	})
}

// A worker whose code does not return for long keeps its own tasks waiting, and no others.
func TestCrowdWithStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowded(t, medium, "lines")
		var stalled atomic.Bool
		c.mu.Lock()
		c.fails = func(int) error {
			if stalled.CompareAndSwap(false, true) {
				time.Sleep(10 * time.Minute)
			}
			return nil
		}
		c.mu.Unlock()
		time.Sleep(time.Minute)
		c.mu.Lock()
		done := 0
		for _, n := range c.seen {
			if n == deep {
				done++
			}
		}
		c.mu.Unlock()
		if done != crowd/2 {
			t.Errorf("%d partitions are done, of the other worker's %d", done, crowd/2)
		}
		c.await(0, crowd, deep)
		c.check()
		c.stop()
	})
}
