// Package bare is what franz-go can do without a framework: one consumer feeds transactional producers, which add the
// offsets by themselves. It keeps none of the rules of exactly-once over failures, and its state is a map that a restart
// loses: it is a limit to measure against, not a way to write a service.
package bare

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Settings say what a loop does.
type Settings struct {
	Brokers     string
	Group       string
	In, Out     string
	Changelog   string // count, every update to Out and to this topic; empty: copy
	Workers     int
	CommitEvery time.Duration
}

type loop struct {
	Settings
	consumer *kgo.Client
	topicID  [16]byte
}

// Run works until ctx ends, or until anything fails.
func Run(ctx context.Context, s Settings) error {
	l := &loop{Settings: s}
	var err error
	l.consumer, err = kgo.NewClient(kgo.SeedBrokers(s.Brokers), kgo.ConsumerGroup(s.Group), kgo.ConsumeTopics(s.In),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.FetchMaxBytes(50<<20))
	if err != nil {
		return err
	}
	defer l.consumer.Close()
	topics, err := kadm.NewClient(l.consumer).ListTopics(ctx, s.In)
	if err != nil {
		return err
	}
	l.topicID = topics[s.In].ID

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make([]chan []*kgo.Record, s.Workers)
	ended := make(chan struct{}, s.Workers)
	for i := range batches {
		batches[i] = make(chan []*kgo.Record, 16)
		go func() { // ends with ctx, and is waited for below
			defer func() { ended <- struct{}{} }()
			cancel(l.work(ctx, i, batches[i]))
		}()
	}
	l.poll(ctx, batches)
	for range batches {
		<-ended
	}
	return context.Cause(ctx)
}

func (l *loop) poll(ctx context.Context, batches []chan []*kgo.Record) {
	for ctx.Err() == nil {
		fetches := l.consumer.PollRecords(ctx, 20_000)
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) == 0 {
				return
			}
			select {
			case batches[int(p.Partition)%len(batches)] <- p.Records:
			case <-ctx.Done():
			}
		})
	}
}

func (l *loop) work(ctx context.Context, i int, batches <-chan []*kgo.Record) error {
	id := fmt.Sprintf("%s-%d", l.Group, i)
	p, err := kgo.NewClient(kgo.SeedBrokers(l.Brokers), kgo.TransactionalID(id), kgo.DefaultProduceTopic(l.Out),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(1<<18), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(1_000_000))
	if err != nil {
		return err
	}
	defer p.Close()
	counts := map[string]int64{}
	for {
		if err := p.BeginTransaction(); err != nil {
			return err
		}
		offsets := map[int32]int64{}
		over := time.NewTimer(l.CommitEvery)
		for open := true; open; {
			select {
			case records := <-batches:
				l.process(ctx, p, records, counts)
				last := records[len(records)-1]
				offsets[last.Partition] = last.Offset + 1
			case <-over.C:
				open = false
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if err := l.commit(ctx, p, id, offsets); err != nil {
			return err
		}
	}
}

func (l *loop) process(ctx context.Context, p *kgo.Client, records []*kgo.Record, counts map[string]int64) {
	for _, r := range records {
		if l.Changelog == "" {
			p.Produce(ctx, &kgo.Record{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}, nil)
			continue
		}
		k := string(r.Key)
		counts[k]++
		v := binary.BigEndian.AppendUint64(nil, uint64(counts[k]))
		p.Produce(ctx, &kgo.Record{Key: r.Key, Value: v, Timestamp: r.Timestamp}, nil)
		p.Produce(ctx, &kgo.Record{Key: r.Key, Value: v, Timestamp: r.Timestamp, Topic: l.Changelog}, nil)
	}
}

func (l *loop) commit(ctx context.Context, p *kgo.Client, id string, offsets map[int32]int64) error {
	if err := p.Flush(ctx); err != nil {
		return err
	}
	if len(offsets) > 0 {
		if err := l.addOffsets(ctx, p, id, offsets); err != nil {
			return err
		}
	}
	return p.EndTransaction(ctx, kgo.TryCommit)
}

func (l *loop) addOffsets(ctx context.Context, p *kgo.Client, id string, offsets map[int32]int64) error {
	pid, epoch, err := p.ProducerID(ctx)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = id, l.Group, pid, epoch
	req.MemberID, req.Generation = l.consumer.GroupMetadata()
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = l.In, l.topicID
	for partition, offset := range offsets {
		at := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		at.Partition, at.Offset = partition, offset
		topic.Partitions = append(topic.Partitions, at)
	}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, p)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, at := range t.Partitions {
			if err := kerr.ErrorForCode(at.ErrorCode); err != nil {
				return fmt.Errorf("offset of %s[%d]: %w", l.In, at.Partition, err)
			}
		}
	}
	return nil
}
