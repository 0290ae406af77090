// Package kafka is a thin layer of typed requests over a kgo.Client: the
// offsets of groups and of logs, topics, features, fencing. It also decides, in
// one place per boundary, what an error means for a transaction.
//
// It holds no state and knows nothing of tasks or stores. Its functions may be
// called concurrently. They block until they have an answer or ctx ends, retry
// what is transient, and leave no goroutine behind.
package kafka

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// A TopicPartition names one partition of one topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s[%d]", tp.Topic, tp.Partition) }

// Compare orders partitions by topic, then by number.
func (tp TopicPartition) Compare(other TopicPartition) int {
	if c := cmp.Compare(tp.Topic, other.Topic); c != 0 {
		return c
	}
	return cmp.Compare(tp.Partition, other.Partition)
}

// A PartitionError says of which partition a broker refused something.
type PartitionError struct {
	TopicPartition
	Err error
}

func (e *PartitionError) Error() string { return e.TopicPartition.String() + ": " + e.Err.Error() }

func (e *PartitionError) Unwrap() error { return e.Err }

// byTopic yields the partitions of each topic, all in order.
func byTopic(tps iter.Seq[TopicPartition]) iter.Seq2[string, []int32] {
	return func(yield func(string, []int32) bool) {
		sorted := slices.SortedFunc(tps, TopicPartition.Compare)
		for len(sorted) > 0 {
			topic := sorted[0].Topic
			var numbers []int32
			for len(sorted) > 0 && sorted[0].Topic == topic {
				numbers = append(numbers, sorted[0].Partition)
				sorted = sorted[1:]
			}
			if !yield(topic, numbers) {
				return
			}
		}
	}
}
