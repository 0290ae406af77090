package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// With transaction.version 2 every transaction has an epoch of its own, so that
// nothing a dead transaction left on its way can join the next one (KIP-890).
// No broker before Kafka 4.0 has it: it stands for that version, too.
const (
	transactionFeature = "transaction.version"
	transactionLevel   = 2
)

// ErrBroker is wrapped by CheckBroker's error if the brokers are too old.
var ErrBroker = errors.New("leat needs Kafka 4.0 or newer with " + transactionFeature + " 2 or higher")

// CheckBroker returns an error, with its cure, unless the brokers are at least
// Kafka 4.0 and the cluster has finalized transaction.version 2. It asks one
// broker: what is finalized holds for all of them.
func CheckBroker(ctx context.Context, cl *kgo.Client) error {
	var shard kgo.ResponseShard
	err := retry(ctx, transient, func() error {
		shard = cl.RequestSharded(ctx, kmsg.NewPtrApiVersionsRequest())[0]
		if shard.Err != nil {
			return shard.Err
		}
		return kerr.ErrorForCode(shard.Resp.(*kmsg.ApiVersionsResponse).ErrorCode)
	})
	if err != nil {
		return fmt.Errorf("ask a broker for its features: %w", err)
	}
	resp := shard.Resp.(*kmsg.ApiVersionsResponse)
	addr := net.JoinHostPort(shard.Meta.Host, strconv.Itoa(int(shard.Meta.Port)))
	var finalized, supported int16
	for _, f := range resp.FinalizedFeatures {
		if f.Name == transactionFeature {
			finalized = f.MaxVersionLevel
		}
	}
	for _, f := range resp.SupportedFeatures {
		if f.Name == transactionFeature {
			supported = f.MaxVersion
		}
	}
	if finalized >= transactionLevel {
		return nil
	}
	cure := fmt.Sprintf("upgrade the feature with kafka-features.sh --bootstrap-server %s upgrade --feature %s=%d", addr, transactionFeature, transactionLevel)
	if supported < transactionLevel {
		return fmt.Errorf("%w; broker %s supports %d at most: it is older; upgrade the brokers, then %s", ErrBroker, addr, supported, cure)
	}
	return fmt.Errorf("%w; broker %s has finalized %d; %s", ErrBroker, addr, finalized, cure)
}
