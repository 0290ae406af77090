package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
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

// A feed writes numbered records. The number is a record's value, and the time that it bears, in ms after the epoch.
type feed struct {
	seeds   []string
	logf    func(format string, args ...any)
	prefix  string
	rnd     *rand.Rand
	deletes bool // some rows

	start   time.Time
	epoch   time.Time
	written atomic.Int64 // that a client was given
	acked   atomic.Int64 // that the brokers have
	failed  atomic.Int64 // of which only the brokers know whether they have them
	told    time.Time    // of a failure
	took    time.Duration
	err     error // set when run has returned
}

// run writes until ctx ends, and returns when it is known of each record what became of it. Records that fail are told
// of and left out: their client is not what is tested.
func (f *feed) run(ctx context.Context) {
	whole := context.WithoutCancel(ctx)
	f.start = time.Now()
	f.epoch = f.start.Add(-*duration * time.Duration(rate()) / 1000) // brokers take no record from the future
	defer func() { f.took = time.Since(f.start) }()
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.seeds...), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(1<<18),
		kgo.MetadataMinAge(500*time.Millisecond))
	if f.err = err; err != nil {
		return
	}
	defer cl.Close()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := int64(0); ctx.Err() == nil; {
		for due := int64(time.Since(f.start).Seconds() * float64(rate())); n < due; n++ {
			f.written.Add(1)
			cl.Produce(whole, f.record(n), f.know)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	f.err = cl.Flush(whole)
}

// know takes in what became of a record.
func (f *feed) know(r *kgo.Record, err error) {
	if err == nil {
		f.acked.Add(1)
		return
	}
	f.failed.Add(1)
	if now := time.Now(); now.Sub(f.told) > time.Second { // one goroutine calls
		f.told = now
		f.logf("%s the feed cannot write to %s[%d]: %v", stamp(now), r.Topic, r.Partition, err)
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
	return &kgo.Record{Topic: f.prefix + topic, Key: []byte(key), Value: value, Timestamp: f.epoch.Add(time.Duration(at) * time.Millisecond)}
}

// end writes a record without a key to each partition of the topics that are joined, so that none of theirs waits for
// another.
func (f *feed) end(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.seeds...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	at := f.epoch.Add(time.Duration(f.written.Load()) * time.Millisecond)
	var last []*kgo.Record
	for p := range int32(partitions) {
		for i, topic := range []string{rows, charges, lefts, rights} {
			last = append(last, &kgo.Record{Topic: f.prefix + topic, Partition: p, Value: []byte("end"), Timestamp: at.Add(time.Duration(i) * time.Millisecond)})
		}
	}
	return cl.ProduceSync(ctx, last...).FirstErr()
}
