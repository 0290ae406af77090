// Package broker starts a Kafka for the comparison, makes its topics and fills them.
package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/bench/peers/internal/child"
)

// A Broker is a running Kafka of one node.
type Broker struct {
	Address string
	Process *child.Process
	Admin   *kadm.Client
	client  *kgo.Client
}

const startTimeout = 2 * time.Minute

// Start starts a broker whose data is in dir, by the script broker.sh of the folder scripts.
func Start(ctx context.Context, scripts, dir string) (*Broker, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	b := &Broker{Address: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	file := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(file, properties(ports, filepath.Join(dir, "data")), 0o644); err != nil {
		return nil, err
	}
	b.Process, err = child.Start(filepath.Join(dir, "broker.log"), filepath.Join(scripts, "broker.sh"), []string{file}, "KAFKA_HEAP_OPTS=-Xms1g -Xmx1g")
	if err != nil {
		return nil, err
	}
	if b.client, err = kgo.NewClient(kgo.SeedBrokers(b.Address), kgo.RequestRetries(2)); err != nil {
		b.Process.Stop(0)
		return nil, err
	}
	b.Admin = kadm.NewClient(b.client)
	if err := b.await(ctx); err != nil {
		b.Close()
		return nil, fmt.Errorf("broker: %w\n%s", err, b.Process.Output())
	}
	return b, nil
}

func (b *Broker) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("not ready in time"))
	defer cancel()
	for {
		if meta, err := b.Admin.BrokerMetadata(ctx); err == nil && len(meta.Brokers) == 1 {
			return nil
		}
		select {
		case <-b.Process.Ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Close stops the broker.
func (b *Broker) Close() {
	b.client.Close()
	b.Process.Stop(0) // its data is not needed any more
}

func properties(ports []int, data string) []byte {
	return fmt.Appendf(nil, `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=CLIENT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=CLIENT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs=%[3]s
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.segment.delete.delay.ms=1000
`, ports[0], ports[1], data)
}

// freePorts returns n ports of this machine, below the range that the system hands out by itself.
func freePorts(n int) (free []int, err error) {
	for port := 20000 + os.Getpid()%5000; port < 30000 && len(free) < n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		free = append(free, port)
	}
	if len(free) < n {
		return nil, errors.New("no free ports from 20000 to 30000")
	}
	return free, nil
}
