package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
)

func TestActions(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for _, c := range []struct {
		err             error
		commit, produce kafka.Action
	}{
		{nil, kafka.Proceed, kafka.Proceed},
		{io.EOF, kafka.Retry, kafka.Abort},
		{dial, kafka.Retry, kafka.Abort},
		{context.DeadlineExceeded, kafka.Retry, kafka.Abort},
		{kgo.ErrRecordTimeout, kafka.Retry, kafka.Abort},
		{kgo.ErrClientClosed, kafka.ProducerDead, kafka.ProducerDead},
		{kerr.NotCoordinator, kafka.Retry, kafka.Abort},
		{kerr.ConcurrentTransactions, kafka.Retry, kafka.Abort},
		{kerr.IllegalGeneration, kafka.WaitForAssignment, kafka.Abort},
		{kerr.RebalanceInProgress, kafka.WaitForAssignment, kafka.Abort},
		{kerr.UnknownMemberID, kafka.Lost, kafka.Abort},
		{kerr.FencedInstanceID, kafka.Lost, kafka.Abort},
		{kerr.TransactionAbortable, kafka.Abort, kafka.Abort},
		{kerr.UnknownServerError, kafka.Abort, kafka.Abort},
		{kerr.NotEnoughReplicasAfterAppend, kafka.Abort, kafka.Abort},
		{kerr.OutOfOrderSequenceNumber, kafka.Abort, kafka.ProducerDead},
		{kerr.ProducerFenced, kafka.ProducerDead, kafka.ProducerDead},
		{kerr.InvalidProducerEpoch, kafka.ProducerDead, kafka.ProducerDead},
		{kerr.InvalidTxnState, kafka.ProducerDead, kafka.ProducerDead},
		{kerr.InvalidProducerIDMapping, kafka.ProducerDead, kafka.ProducerDead},
		{kerr.UnknownTopicID, kafka.Fatal, kafka.Fatal},
		{kerr.OffsetMetadataTooLarge, kafka.Fatal, kafka.Abort},
		{kerr.MessageTooLarge, kafka.Abort, kafka.Fatal},
		{kerr.GroupAuthorizationFailed, kafka.Fatal, kafka.Fatal},
		{kerr.TransactionalIDAuthorizationFailed, kafka.Fatal, kafka.Fatal},
		{kerr.UnsupportedVersion, kafka.Fatal, kafka.Fatal},
	} {
		for _, err := range []error{c.err, wrapped(c.err)} {
			if got := kafka.OnCommit(err); got != c.commit {
				t.Errorf("commit: %v: %v, want %v", err, got, c.commit)
			}
			if got := kafka.OnProduce(err); got != c.produce {
				t.Errorf("produce: %v: %v, want %v", err, got, c.produce)
			}
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return &kafka.PartitionError{Err: fmt.Errorf("%w: %w", context.Canceled, err)}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	recreated := fmt.Errorf("%w, %w", kerr.TransactionAbortable, kerr.UnknownTopicID) // as kgo says it
	for err, want := range map[error]kafka.Outcome{
		nil:                         kafka.TxnCommitted,
		kerr.OperationNotAttempted:  kafka.TxnNotCommitted,
		kerr.TransactionAbortable:   kafka.TxnNotCommitted,
		recreated:                   kafka.TxnNotCommitted,
		kerr.ProducerFenced:         kafka.TxnUnknown,
		kerr.InvalidProducerEpoch:   kafka.TxnUnknown,
		kerr.InvalidTxnState:        kafka.TxnUnknown,
		kerr.ConcurrentTransactions: kafka.TxnUnknown,
		io.EOF:                      kafka.TxnUnknown,
		context.Canceled:            kafka.TxnUnknown,
	} {
		if got := kafka.OnEnd(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
