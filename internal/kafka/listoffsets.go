package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A LogPoint is a place in a partition's log.
type LogPoint struct {
	timestamp int64 // as a request names it
	isolation int8
}

var (
	// Earliest is the log start: the lowest offset that can be read.
	Earliest = LogPoint{-2, 0}
	// Latest is the high watermark: behind all that is replicated, whether
	// its transaction has ended or not.
	Latest = LogPoint{-1, 0}
	// LastStable is the lowest offset of an open transaction, or the high
	// watermark if there is none: what read_committed readers can reach.
	LastStable = LogPoint{-1, 1}
)

// NotBefore is the first record whose timestamp is not before at. Where there is
// none, ListOffsets says the last stable offset.
func NotBefore(at time.Time) LogPoint { return LogPoint{at.UnixMilli(), 1} }

// ListOffsets asks the leaders for a point in each partition's log. All of tps
// are in the result.
func ListOffsets(ctx context.Context, cl *kgo.Client, at LogPoint, tps []TopicPartition) (map[TopicPartition]int64, error) {
	offsets := make(map[TopicPartition]int64, len(tps))
	err := retry(ctx, patient(), func() error {
		left := slices.DeleteFunc(slices.Clone(tps), func(tp TopicPartition) bool { _, ok := offsets[tp]; return ok })
		err := listOffsets(ctx, cl, at, left, offsets)
		if err != nil {
			forget(ctx, cl, left)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	if at.timestamp >= 0 {
		return offsets, behindAll(ctx, cl, offsets)
	}
	return offsets, nil
}

// Bounds asks for the beginnings of logs, and for their ends as point says, both at the
// same time.
func Bounds(ctx context.Context, cl *kgo.Client, point LogPoint, tps []TopicPartition) (begins, ends map[TopicPartition]int64, err error) {
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() { begins, failed = ListOffsets(ctx, cl, Earliest, tps) })
	ends, err = ListOffsets(ctx, cl, point, tps)
	wg.Wait()
	return begins, ends, errors.Join(failed, err)
}

// behindAll fills in the ends of logs that hold no record of a time.
func behindAll(ctx context.Context, cl *kgo.Client, offsets map[TopicPartition]int64) error {
	var none []TopicPartition
	for tp, offset := range offsets {
		if offset < 0 {
			none = append(none, tp)
		}
	}
	ends, err := ListOffsets(ctx, cl, LastStable, none)
	maps.Copy(offsets, ends)
	return err
}

// listOffsets asks once, and adds what it learns to offsets.
func listOffsets(ctx context.Context, cl *kgo.Client, at LogPoint, tps []TopicPartition, offsets map[TopicPartition]int64) error {
	if len(tps) == 0 {
		return nil
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = at.isolation
	for topic, numbers := range byTopic(slices.Values(tps)) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, n := range slices.Compact(numbers) { // a partition that is named twice is refused
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = n, at.timestamp
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	var errs []error
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			errs = append(errs, shard.Err)
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				tp := TopicPartition{t.Topic, p.Partition}
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					errs = append(errs, &PartitionError{tp, err})
				} else if p.Offset >= 0 || at.timestamp >= 0 {
					offsets[tp] = p.Offset
				}
			}
		}
	}
	for _, tp := range tps {
		if _, ok := offsets[tp]; !ok && len(errs) == 0 {
			errs = append(errs, &PartitionError{tp, errOmitted})
		}
	}
	return gravest(errs)
}

// gravest joins errs, one that is not transient first: it decides.
func gravest(errs []error) error {
	slices.SortStableFunc(errs, func(a, b error) int {
		switch ta, tb := transient(a), transient(b); {
		case ta == tb:
			return 0
		case tb:
			return -1
		}
		return 1
	})
	return errors.Join(errs...)
}

// forget makes cl learn the leaders of partitions anew: it keeps what it knows
// for some seconds, also that there is no leader. What goes wrong here will go
// wrong again.
func forget(ctx context.Context, cl *kgo.Client, tps []TopicPartition) {
	names := make([]string, len(tps))
	for i, tp := range tps {
		names[i] = tp.Topic
	}
	_, _ = describe(ctx, cl, names)
}
