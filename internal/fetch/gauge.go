package fetch

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A gauge follows what is fetched: how much memory it takes once it is read, which may be
// a multiple of its bytes on the wire if records are small, or compressed. The client
// tells it of each batch.
type gauge struct {
	now, before span
	began       time.Time
}

// A span is what was seen in some time.
type span struct {
	wire, memory atomic.Int64
	batch        atomic.Int64  // memory of the largest batch of records
	brokers      atomic.Uint64 // a bit for each that sent something
}

// spanTime is for how long at least what was seen counts.
const spanTime = 10 * time.Second

var _ kgo.HookFetchBatchRead = (*gauge)(nil)

// OnFetchBatchRead implements kgo.HookFetchBatchRead.
func (g *gauge) OnFetchBatchRead(broker kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	memory := int64(m.UncompressedBytes) + recordOverhead*int64(m.NumRecords)
	g.now.wire.Add(int64(m.CompressedBytes))
	g.now.memory.Add(memory)
	for most := g.now.batch.Load(); memory > most && !g.now.batch.CompareAndSwap(most, memory); {
		most = g.now.batch.Load()
	}
	if bit := uint64(1) << (uint32(broker.NodeID) % 64); g.now.brokers.Load()&bit == 0 {
		g.now.brokers.Or(bit)
	}
}

// A reading is what a gauge says.
type reading struct {
	batch   int64 // memory of the largest batch
	brokers int64 // that send something; at least 1
	growth  int64 // bytes of memory for each of the wire; at least 1
}

// read is called by the fetcher alone.
func (g *gauge) read() reading {
	if now := time.Now(); now.Sub(g.began) > spanTime && g.now.wire.Load() > 0 {
		g.before.wire.Store(g.now.wire.Swap(0))
		g.before.memory.Store(g.now.memory.Swap(0))
		g.before.batch.Store(g.now.batch.Swap(0))
		g.before.brokers.Store(g.now.brokers.Swap(0))
		g.began = now
	}
	r := reading{
		batch:   max(g.now.batch.Load(), g.before.batch.Load()),
		brokers: int64(max(1, bits.OnesCount64(g.now.brokers.Load()|g.before.brokers.Load()))),
		growth:  usualGrowth,
	}
	if wire := g.now.wire.Load() + g.before.wire.Load(); wire > 0 {
		r.growth = max(1, (g.now.memory.Load()+g.before.memory.Load()+wire-1)/wire)
	}
	return r
}

// usualGrowth is supposed until something has been fetched.
const usualGrowth = 4
