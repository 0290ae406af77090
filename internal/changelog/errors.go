package changelog

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
)

// An OutOfRangeError says that records behind the position have been deleted.
// What was read before is not the whole: start over, from LogStart.
type OutOfRangeError struct {
	kafka.TopicPartition
	Offset   int64
	LogStart int64
}

func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("changelog %s: position %d is below the log start %d", e.TopicPartition, e.Offset, e.LogStart)
}

// A TruncatedError says that the position is beyond the end of the log: the
// log has lost records that were read before. Start over.
type TruncatedError struct {
	kafka.TopicPartition
	Offset int64
	End    int64
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("changelog %s: position %d is beyond the end %d", e.TopicPartition, e.Offset, e.End)
}

// A RecreatedError says that the topic is not the one that was meant: it was
// deleted, and ID is that of its successor, or zero if there is none.
type RecreatedError struct {
	kafka.TopicPartition
	Meant [16]byte
	ID    [16]byte
}

func (e *RecreatedError) Error() string {
	if e.ID == [16]byte{} {
		return fmt.Sprintf("changelog %s (id %x) does not exist any more", e.TopicPartition, e.Meant)
	}
	return fmt.Sprintf("changelog %s was deleted and created anew: its id is %x, not %x", e.TopicPartition, e.ID, e.Meant)
}

// A PartitionError says where something else went wrong for good.
type PartitionError struct {
	kafka.TopicPartition
	Offset int64
	Err    error
}

func (e *PartitionError) Error() string {
	return fmt.Sprintf("changelog %s at %d: %v", e.TopicPartition, e.Offset, e.Err)
}

func (e *PartitionError) Unwrap() error { return e.Err }

var (
	errNoTopic  = errors.New("the brokers do not know the topic")
	errNoLeader = errors.New("the partition has no leader")
)

// passing says whether what a fetch met may pass, or be cured by asking for the
// leader anew. OFFSET_OUT_OF_RANGE is not decided here.
func passing(err error) bool {
	ke, ok := errors.AsType[*kerr.Error](err)
	switch {
	case !ok: // no broker answered
		return true
	case ke == kerr.UnknownServerError: // a broker's own trouble, not a fact about the partition
		return true
	case ke == kerr.CorruptMessage: // a broker found its log damaged; another replica may be well
		return true
	}
	// Another leader (NOT_LEADER_OR_FOLLOWER, FENCED_ and UNKNOWN_LEADER_EPOCH,
	// REPLICA_NOT_AVAILABLE), a broker in trouble (KAFKA_STORAGE_ERROR,
	// OFFSET_NOT_AVAILABLE), a topic that moved or went (UNKNOWN_TOPIC_OR_PARTITION,
	// UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID): kerr calls them all retriable.
	// Not so what an operator must mend: TOPIC_AUTHORIZATION_FAILED,
	// UNSUPPORTED_VERSION.
	return ke.Retriable
}
