package worker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
)

// Kafka is what a worker asks of the brokers: Brokers, or the simulator's.
type Kafka interface {
	// Producer makes a client that produces, with options beyond those to connect.
	Producer(opts ...kgo.Opt) (Client, error)
	// Commit, CommitTxn and Heartbeat are those of kafka.Group.
	Commit(ctx context.Context, who kafka.Identity, offsets map[kafka.TopicPartition]kafka.Committed) error
	CommitTxn(ctx context.Context, producer Client, who kafka.Identity, offsets map[kafka.TopicPartition]kafka.Committed) error
	Heartbeat(ctx context.Context, who kafka.Identity) error
}

// A Client is what a producer needs of a kgo.Client.
type Client interface {
	ProducerID(ctx context.Context) (id int64, epoch int16, err error)
	BeginTransaction() error
	Produce(ctx context.Context, r *kgo.Record, promise func(*kgo.Record, error))
	Flush(ctx context.Context) error
	PartitionLeader(topic string, partition int32) (leader, epoch int32, err error)
	EndTransaction(ctx context.Context, end kgo.TransactionEndTry) error
	AbortBufferedRecords(ctx context.Context) error
	Close()
}

// Brokers are real.
type Brokers struct {
	Options []kgo.Opt // of a producer
	Group   *kafka.Group
	Admin   *kgo.Client // for requests that no producer need make
}

var _ Kafka = Brokers{}

// Producer implements Kafka.
func (b Brokers) Producer(opts ...kgo.Opt) (Client, error) {
	opts = append(opts, kgo.WithHooks(&kafka.Refresher{}))
	return kgo.NewClient(append(b.Options[:len(b.Options):len(b.Options)], opts...)...)
}

// Commit implements Kafka.
func (b Brokers) Commit(ctx context.Context, who kafka.Identity, offsets map[kafka.TopicPartition]kafka.Committed) error {
	return b.Group.Commit(ctx, b.Admin, who, offsets)
}

// CommitTxn implements Kafka.
func (b Brokers) CommitTxn(ctx context.Context, producer Client, who kafka.Identity, offsets map[kafka.TopicPartition]kafka.Committed) error {
	return b.Group.CommitTxn(ctx, producer.(*kgo.Client), who, offsets)
}

// Heartbeat implements Kafka.
func (b Brokers) Heartbeat(ctx context.Context, who kafka.Identity) error {
	return b.Group.Heartbeat(ctx, b.Admin, who)
}
