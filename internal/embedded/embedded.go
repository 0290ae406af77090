// Package embedded runs a Kafka broker inside the process: franz-go's kfake. It is
// for demonstrations, development and tests. It has one node, no replication and
// no authentication, and serves everything from one goroutine; what it cannot
// show is tested against Kafka.
package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Options configure a broker. The zero value is a broker without topics.
type Options struct {
	// Topics are created at start, with so many partitions each.
	Topics map[string]int32
	// MaxMessageBytes is the greatest batch of records that a topic takes which
	// has no max.message.bytes of its own: Kafka's 1 MiB by default.
	MaxMessageBytes int
	// OnDisk keeps the records in a temporary directory instead of in memory. In
	// either case they go with the broker.
	OnDisk bool
	// Logger gets the broker's warnings. Nil is for none.
	Logger *slog.Logger
}

// A Broker is a running broker on a port of the loopback interface.
type Broker struct {
	cluster *kfake.Cluster
	dir     string
}

// Start starts a broker. It has to be closed.
func Start(o Options) (*Broker, error) {
	b := &Broker{}
	opts, err := b.options(o)
	if err == nil {
		b.cluster, err = kfake.NewCluster(opts...)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded broker: %w", err), b.Close())
	}
	return b, nil
}

const never = 100 * 365 * 24 * time.Hour

func (b *Broker) options(o Options) ([]kfake.Opt, error) {
	configs := map[string]string{
		// Compaction takes an open transaction's value for a later one and drops
		// the committed value before it, which is lost if the transaction aborts.
		"log.cleaner.backoff.ms":     strconv.FormatInt(never.Milliseconds(), 10),
		"default.replication.factor": "1",
	}
	if o.MaxMessageBytes > 0 {
		configs["message.max.bytes"] = strconv.Itoa(o.MaxMessageBytes)
	}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.BrokerConfigs(configs)}
	for name, partitions := range o.Topics {
		opts = append(opts, kfake.SeedTopics(partitions, name))
	}
	if o.Logger != nil {
		opts = append(opts, kfake.WithLogger(logger{o.Logger}))
	}
	if o.OnDisk {
		dir, err := os.MkdirTemp("", "leat-broker-")
		if err != nil {
			return nil, err
		}
		b.dir = dir
		opts = append(opts, kfake.DataDir(dir))
	}
	return opts, nil
}

// Addrs are the addresses to reach the broker at.
func (b *Broker) Addrs() []string { return b.cluster.ListenAddrs() }

// Close stops the broker and forgets its records.
func (b *Broker) Close() error {
	if b.cluster != nil {
		b.cluster.Close()
	}
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// logger passes warnings on, and leaves out what is only about requests.
type logger struct{ *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	message := strings.TrimSpace(fmt.Sprintf(format, args...))
	switch level {
	case kfake.LogLevelError:
		l.Error(message, "from", "embedded broker")
	case kfake.LogLevelWarn:
		l.Warn(message, "from", "embedded broker")
	}
}
