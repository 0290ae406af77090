package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// An Input is what a topic holds: records of random keys, with values that begin with eight random digits. The same
// Input is the same records.
type Input struct {
	Records    int
	Keys       int
	Partitions int32
	Idle       int32 // partitions more, that hold nothing
	ValueBytes int
	Table      bool // each key once, for a table, older than any other input
}

// Topic is the name of the topic that holds in.
func (in Input) Topic() string {
	kind := "input"
	if in.Table {
		kind = "table"
	}
	return fmt.Sprintf("%s-%d-records-%d-keys-%d-partitions-%d-idle-%d-bytes", kind, in.Records, in.Keys, in.Partitions, in.Idle, in.ValueBytes)
}

// Create makes empty topics of so many partitions, and waits until clients can see them.
func (b *Broker) Create(ctx context.Context, partitions int32, topics ...string) error {
	made, err := b.Admin.CreateTopics(ctx, partitions, 1, nil, topics...)
	if err != nil {
		return err
	}
	if err := made.Error(); err != nil {
		return err
	}
	for {
		seen, err := b.Admin.ListTopics(ctx, topics...)
		if err == nil && seen.Error() == nil && len(seen) == len(topics) {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Delete removes topics, and those that an application has made for itself.
func (b *Broker) Delete(ctx context.Context, application string, topics ...string) error {
	all, err := b.Admin.ListTopics(ctx)
	if err != nil {
		return err
	}
	for _, name := range all.Names() {
		if strings.HasPrefix(name, application+"-") && !slices.Contains(topics, name) {
			topics = append(topics, name)
		}
	}
	gone, err := b.Admin.DeleteTopics(ctx, topics...)
	if err != nil {
		return err
	}
	return gone.Error()
}

const (
	age = time.Hour             // of an input's first record
	gap = 20 * time.Microsecond // from one record's timestamp to the next one's
)

// Load fills the topic of in.
func (b *Broker) Load(ctx context.Context, in Input) error {
	if err := b.Create(ctx, in.Partitions+in.Idle, in.Topic()); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Address), kgo.DefaultProduceTopic(in.Topic()), kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(1<<16), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	byKey := kgo.StickyKeyPartitioner(nil).ForTopic("") // as Kafka's producer would
	var failed atomic.Pointer[error]
	start := time.Now().Add(-age).Truncate(time.Minute) // at the begin of a window: how many there are is no matter of luck
	if in.Table {
		start = start.Add(-age)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range in.Records {
		r := in.record(i, random)
		r.Timestamp = start.Add(time.Duration(i) * gap)
		r.Partition = int32(byKey.Partition(r, int(in.Partitions)))
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	err = client.Flush(ctx)
	if first := failed.Load(); first != nil {
		err = errors.Join(err, *first)
	}
	return err
}

func (in Input) record(i int, random *rand.Rand) *kgo.Record {
	key := i
	if !in.Table {
		key = random.IntN(in.Keys)
	}
	value := fmt.Appendf(make([]byte, 0, in.ValueBytes), "%08d", random.IntN(in.Keys))
	for len(value) < in.ValueBytes {
		value = append(value, 'a'+byte(random.Uint32()%26))
	}
	return &kgo.Record{Key: fmt.Appendf(nil, "k%08d", key), Value: value}
}
