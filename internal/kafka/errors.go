package kafka

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// An Action is what an error asks the owner of a transaction to do. A greater
// one is graver: of several, the greatest is to be done.
type Action int8

const (
	// Proceed: there was no error.
	Proceed Action = iota
	// Retry the same request. Commit and CommitTxn do so themselves: when one
	// of them returns such an error its ctx has ended.
	Retry
	// WaitForAssignment: what is owned is still owned, but the group has a
	// new generation. Learn it, then repeat the request, in the same
	// transaction.
	WaitForAssignment
	// Abort the transaction, drop what it held and process it again. The
	// producer can be used on.
	Abort
	// Lost: the partitions belong to somebody else. Abort the transaction and
	// let go of them.
	Lost
	// ProducerDead: close the producer's client and build a new one.
	ProducerDead
	// Fatal: trying again cannot help. Stop, and tell the operator.
	Fatal
)

func (a Action) String() string {
	return [...]string{"proceed", "retry", "wait for assignment", "abort", "lost", "producer dead", "fatal"}[a]
}

// OnCommit says what to do about an error of Commit or CommitTxn. What it does
// not know it aborts: that is always safe, and a lasting cause comes back.
func OnCommit(err error) Action {
	if err == nil {
		return Proceed
	}
	ke, ok := errors.AsType[*kerr.Error](err)
	switch {
	case errors.Is(err, kgo.ErrClientClosed): // by us, or by nobody who could go on
		return ProducerDead
	case errors.Is(err, errIdentity), errors.Is(err, errTopicID): // our own mistake
		return Fatal
	case !ok: // no broker answered: the network, a dial, a time-out
		return Retry
	}
	switch ke {
	case kerr.CoordinatorLoadInProgress, // the coordinator has just moved there
		kerr.CoordinatorNotAvailable, // nobody has it yet, or its log lacks replicas
		kerr.NotCoordinator,          // it has moved on
		kerr.ConcurrentTransactions,  // the previous transaction's markers are still being written
		kerr.NotEnoughReplicas,       // of the offsets topic
		kerr.KafkaStorageError,       // the same
		kerr.RequestTimedOut,         // it may have been stored; to store it twice does no harm
		kerr.NetworkException,        // the same
		kerr.BrokerNotAvailable,      // the same
		kerr.ThrottlingQuotaExceeded: // later
		return Retry
	case kerr.IllegalGeneration, // a rebalance has ended and our client is still learning what it brought
		kerr.RebalanceInProgress, // a rebalance is on; with a cooperative one we keep what nobody revokes
		kerr.StaleMemberEpoch:    // the same in the consumer protocol
		return WaitForAssignment
	case kerr.UnknownMemberID, // the session timed out, or the member left
		kerr.FencedInstanceID,     // another process has our instance id
		kerr.UnreleasedInstanceID, // the same, seen from the newer one
		kerr.FencedMemberEpoch,    // the consumer protocol's word for it
		kerr.GroupIDNotFound:      // the whole group is gone, and we with it
		return Lost
	case kerr.UnknownTopicID, // the topic was recreated: the offsets are of one that is gone
		kerr.OffsetMetadataTooLarge, kerr.InvalidCommitOffsetSize, // the broker's limits; sizes were checked against the default
		kerr.InvalidGroupID: // configured so
		return Fatal
	}
	return onTransaction(ke)
}

// OnProduce says what to do about the error of a record's promise. The record's
// transaction must never be committed, whatever the answer.
func OnProduce(err error) Action {
	if err == nil {
		return Proceed
	}
	ke, ok := errors.AsType[*kerr.Error](err)
	switch {
	case errors.Is(err, kgo.ErrClientClosed):
		return ProducerDead
	case !ok: // the delivery time-out, a lost connection, an abort of ours
		return Abort
	}
	switch ke {
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, // sizes are checked before: the topic's limit is lower than was believed
		kerr.InvalidRecord,         // a compacted topic refuses a record without key
		kerr.InvalidTimestamp,      // the topic bounds timestamps
		kerr.InvalidTopicException, // not a name
		kerr.UnknownTopicID,        // the topic was recreated; what it held before is gone
		kerr.InvalidRequiredAcks,
		kerr.UnsupportedCompressionType,
		kerr.UnsupportedForMessageFormat,
		kerr.PolicyViolation:
		return Fatal
	case kerr.OutOfOrderSequenceNumber, // a batch before this one is missing: the epoch is of no more use
		kerr.DuplicateSequenceNumber,
		kerr.UnknownProducerID: // the log forgot us
		return ProducerDead
	}
	// A retriable error gets here when the client has given up retrying.
	return onTransaction(ke)
}

// Refused reports whether an error of a record's promise is for what is in the record,
// or in its batch: another record may well be taken.
func Refused(err error) bool {
	for _, refusal := range []error{
		kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp,
		kerr.InvalidTopicException, kerr.PolicyViolation,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// onTransaction is what the boundaries of a transaction have in common.
func onTransaction(ke *kerr.Error) Action {
	switch ke {
	case kerr.ProducerFenced, // somebody initialised our transactional id: a successor, or an operator
		kerr.InvalidProducerEpoch,         // the same, or the transaction timed out and was aborted by the broker
		kerr.InvalidProducerIDMapping,     // the transactional id expired, or has a new producer id
		kerr.InvalidTxnState,              // the broker's transaction is not the one that we believe to be in
		kerr.TransactionalIDNotFound,      // expired
		kerr.TransactionCoordinatorFenced, // a zombie coordinator spoke; nothing it says can be built upon
		kerr.OperationNotAttempted:        // the client has already failed its producer id
		return ProducerDead
	case kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed, // an operator must allow it
		kerr.InvalidTransactionTimeout,               // above the broker's transaction.max.timeout.ms
		kerr.UnsupportedVersion, kerr.InvalidRequest, // the broker is not what CheckBroker saw
		kerr.SecurityDisabled:
		return Fatal
	}
	// TRANSACTION_ABORTABLE says so; of the rest nothing is known.
	return Abort
}

// An Outcome is what is known of a transaction after EndTransaction(TryCommit).
type Outcome int8

const (
	// TxnCommitted, if at least one of its records was acknowledged: kgo also
	// returns nil when there was nothing to end.
	TxnCommitted Outcome = iota
	// TxnNotCommitted, for certain.
	TxnNotCommitted
	// TxnUnknown: it may have been committed. Only the broker can tell.
	TxnUnknown
)

func (o Outcome) String() string { return [...]string{"committed", "not committed", "unknown"}[o] }

// OnEnd says what is known after EndTransaction(TryCommit) returned err. After
// any error the producer is dead: close its client, and build a new one, which
// ends the transaction if it is still open.
func OnEnd(err error) Outcome {
	switch {
	case err == nil:
		return TxnCommitted
	case errors.Is(err, kerr.OperationNotAttempted), // kgo had no valid producer id and sent nothing
		errors.Is(err, kerr.TransactionAbortable): // a broker never says so of a transaction that it commits; kgo itself, of recreated topics
		return TxnNotCommitted
	}
	// Also a broker's refusal proves nothing: kgo repeats the request after a
	// lost connection, and the refusal may be the answer to the second one,
	// after the first had committed and a successor had fenced us.
	return TxnUnknown
}

// transient says whether a request that changes nothing, or can be repeated
// without harm, should be tried again.
func transient(err error) bool {
	ke, ok := errors.AsType[*kerr.Error](err)
	switch {
	case errors.Is(err, kgo.ErrClientClosed), errors.Is(err, errTopicID):
		return false
	case !ok: // no broker answered
		return true
	}
	// kerr does not call this one retriable: it is an answer like any other
	// to most, but here only means "not yet".
	return ke.Retriable || ke == kerr.ConcurrentTransactions
}
