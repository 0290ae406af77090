package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/topics"
)

// Names of topics, behind the application's.
const (
	events  = "-events"
	lefts   = "-lefts"
	rights  = "-rights"
	charges = "-charges"
	rows    = "-rows"

	counts = "-counts"
	sums   = "-sums"
	joined = "-joined"
	pairs  = "-pairs"

	regrouped = "-regrouped-repartition"
)

var (
	inputs  = []string{events, lefts, rights, charges, rows}
	outputs = []string{counts, sums, joined, pairs}
)

const tick = 5 * time.Millisecond

// rate is how many records per second there are, of all topics.
func rate() int64 {
	if *soak {
		return soakRate
	}
	return 1400
}

// mix is which topics the numbered records go to, in turn.
var mix = []string{events, events, lefts, events, events, rows, events, events, charges, events, events, rights, events, events}

// A feed writes numbered records. The number is a record's value, and the time that it bears, in ms after the start.
type feed struct {
	topics  *topics.Topics
	prefix  string
	rnd     *rand.Rand
	deletes bool // some rows

	start   time.Time
	written atomic.Int64
	acked   atomic.Int64
	took    time.Duration
	err     error // the first; set when run has returned
}

// run writes until ctx ends, and returns when all is acknowledged.
func (f *feed) run(ctx context.Context) {
	f.start = time.Now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	promise := func(_ *kgo.Record, err error) {
		f.acked.Add(1)
		if f.err == nil && err != nil {
			f.err = err
		}
	}
	for n := int64(0); ctx.Err() == nil; {
		for due := int64(time.Since(f.start).Seconds() * float64(rate())); n < due; n++ {
			f.topics.Client.Produce(context.WithoutCancel(ctx), f.record(n), promise)
			f.written.Add(1)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	f.took = time.Since(f.start)
	if err := f.topics.Client.Flush(context.WithoutCancel(ctx)); err != nil && f.err == nil {
		f.err = err
	}
}

const (
	hotKeys  = 200  // of events, that half of them have
	joinKeys = 60   // of the inputs of joins
	lateness = 6000 // ms, of the latest event
)

func (f *feed) record(n int64) *kgo.Record {
	topic := mix[n%int64(len(mix))]
	at, key, value := n, fmt.Sprint("k", f.rnd.IntN(joinKeys)), fmt.Append(nil, n)
	switch topic {
	case events:
		if key = fmt.Sprint("hot", f.rnd.IntN(hotKeys)); f.rnd.IntN(2) == 0 {
			key = fmt.Sprintf("cold%d-%d", n/rate(), f.rnd.IntN(20))
		}
		if f.rnd.IntN(30) == 0 {
			at -= f.rnd.Int64N(lateness)
		}
	case rows:
		if f.rnd.IntN(20) == 0 && f.deletes {
			value = nil
		}
	}
	return &kgo.Record{Topic: f.prefix + topic, Key: []byte(key), Value: value, Timestamp: f.start.Add(time.Duration(at) * time.Millisecond)}
}

// end writes a record without a key to each partition of the topics that are joined, so that none of theirs waits for
// another.
func (f *feed) end(ctx context.Context, seeds []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	at := f.start.Add(time.Duration(f.written.Load()) * time.Millisecond)
	var last []*kgo.Record
	for p := range int32(partitions) {
		for i, topic := range []string{rows, charges, lefts, rights} {
			last = append(last, &kgo.Record{Topic: f.prefix + topic, Partition: p, Value: []byte("end"), Timestamp: at.Add(time.Duration(i) * time.Millisecond)})
		}
	}
	return cl.ProduceSync(ctx, last...).FirstErr()
}
