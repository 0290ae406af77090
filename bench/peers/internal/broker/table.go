package broker

import (
	"context"
	"hash/fnv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Table reads what has been committed to a topic since from, and returns a digest of the last value of each key, and how
// many keys there are.
func (b *Broker) Table(ctx context.Context, from kadm.ListedOffsets) (digest uint64, keys int, err error) {
	starts, left := map[string]map[int32]kgo.Offset{}, map[int32]int64{}
	var topic string
	from.Each(func(o kadm.ListedOffset) {
		topic = o.Topic
		if starts[topic] == nil {
			starts[topic] = map[int32]kgo.Offset{}
		}
		starts[topic][o.Partition] = kgo.NewOffset().At(o.Offset)
	})
	ends, err := b.Admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, 0, err
	}
	ends.Each(func(o kadm.ListedOffset) {
		if since, _ := from.Lookup(topic, o.Partition); since.Offset < o.Offset {
			left[o.Partition] = o.Offset
		}
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Address), kgo.ConsumePartitions(starts), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	last := map[string]uint64{}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return 0, 0, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				h := fnv.New64a()
				_, _ = h.Write(r.Key) // a hash never fails
				_, _ = h.Write(r.Value)
				last[string(r.Key)] = h.Sum64()
			}
		})
	}
	for _, h := range last {
		digest += h
	}
	return digest, len(last), nil
}
