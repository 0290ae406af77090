package changelog

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
)

// Both read the same million committed records of 4 partitions, over TCP from a
// kfake in the same process, which takes a good part of the time; neither looks
// at them. The consumer fetches as much at once as the reader does.
func BenchmarkRead(b *testing.B) {
	const records, partitions = 1_000_000, 4
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for name, codec := range map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression()} {
		fill(b, c, codec, records, partitions)
		b.Run(name+"/reader", func(b *testing.B) {
			cl := client(b, c)
			targets := targets(b, c, cl, partitions)
			b.ReportAllocs()
			for b.Loop() {
				var n atomic.Int64
				err := NewReader(cl, Config{}).Run(b.Context(), targets, func(batch Batch) error { n.Add(int64(len(batch.Records))); return nil })
				if err != nil || n.Load() != records {
					b.Fatal(n.Load(), err)
				}
			}
			b.ReportMetric(float64(b.N)*records/b.Elapsed().Seconds(), "records/s")
		})
		b.Run(name+"/consumer", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				cl := client(b, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
					kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxBytes(64<<20))
				for n := 0; n < records; {
					fs := cl.PollFetches(b.Context())
					if err := fs.Err(); err != nil {
						b.Fatal(err)
					}
					n += fs.NumRecords()
				}
				cl.Close()
			}
			b.ReportMetric(float64(b.N)*records/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func client(b *testing.B, c *kfake.Cluster, opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cl.Close)
	return cl
}

func targets(b *testing.B, c *kfake.Cluster, cl *kgo.Client, partitions int32) (targets []Target) {
	for p := range partitions {
		tp := kafka.TopicPartition{Topic: topic, Partition: p}
		ends, err := kafka.ListOffsets(b.Context(), cl, End, []kafka.TopicPartition{tp})
		if err != nil {
			b.Fatal(err)
		}
		targets = append(targets, Target{tp, c.TopicInfo(topic).TopicID, 0, ends[tp]})
	}
	return targets
}

// fill makes the topic anew and writes transactions of 10 000 records to it.
func fill(b *testing.B, c *kfake.Cluster, codec kgo.CompressionCodec, records, partitions int) {
	if err := c.DeleteTopic(topic); err != nil {
		b.Fatal(err)
	}
	if err := c.CreateTopic(topic, int32(partitions), nil); err != nil {
		b.Fatal(err)
	}
	cl := client(b, c, kgo.TransactionalID("fill"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec))
	for i := 0; i < records; {
		if err := cl.BeginTransaction(); err != nil {
			b.Fatal(err)
		}
		for range 10_000 {
			cl.Produce(context.Background(), &kgo.Record{
				Topic: topic, Partition: int32(i % partitions), Key: fmt.Appendf(nil, "key-%08d", i%100_000), Value: fmt.Appendf(nil, "%016d", i),
			}, nil)
			i++
		}
		if err := cl.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		if err := cl.EndTransaction(context.Background(), kgo.TryCommit); err != nil {
			b.Fatal(err)
		}
	}
	cl.Close()
}
