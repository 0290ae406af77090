// Package cluster gives a test a real Kafka: brokers in containers, or as plain processes on a machine without docker.
// It knows nothing of leat.
package cluster

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	version = "4.3.1" // kafka/env.sh names the same
	image   = "apache/kafka:" + version

	readyTimeout = 3 * time.Minute // 4 s on an idle machine; a busy one needs many times that
	callTimeout  = 30 * time.Second
)

// Options say what is special about a cluster. The zero value is one broker.
type Options struct {
	// Brokers is the number of nodes, each of them broker and controller. Topics have as many replicas, three at
	// most. 0 means 1.
	Brokers int
	// Properties are settings of every broker, by their Kafka names; they win over those that this package chooses.
	Properties map[string]string
	// Proxies are addresses, one for each broker, that lead to Cluster.Behind. Clients that begin at one of them stay
	// behind them. None: the brokers are there themselves.
	Proxies []string
}

// A Cluster is a running Kafka. Its methods may be called from any goroutine, but not two at once for the same broker;
// brokers count from 0. A method that does not succeed marks the test as failed.
type Cluster struct {
	// Seeds are the addresses of all brokers; a broker keeps its address when it is restarted.
	Seeds []string
	// Behind are the addresses that Options.Proxies have to lead to.
	Behind []string
	// Mode says what runs: "container apache/kafka:4.3.1" or "process 4.3.1".
	Mode string

	t     testing.TB
	nodes []node
	free  func() // what the nodes share
}

// A node is one broker in one of the two modes.
type node interface {
	// start starts a node that is new or was killed, and does not wait until it is ready.
	start(context.Context) error
	// signal does what KILL, STOP and CONT do to a process; after KILL the node's ports are free.
	signal(context.Context, syscall.Signal) error
	// state tells whether the node runs, and what it has logged.
	state(context.Context) (running bool, log string)
	remove(context.Context)
}

// Start starts a cluster that is stopped and removed when the test ends. It returns when all brokers are ready. On a
// machine that can run no Kafka the test is skipped.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	c, err := start(possible(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c.of(t)
}

// Kill ends a broker at once, as a power cut would, and keeps its data.
func (c *Cluster) Kill(i int) {
	c.t.Helper()
	c.signal(i, syscall.SIGKILL)
}

// Pause freezes a broker: its connections stay open and nothing answers.
func (c *Cluster) Pause(i int) {
	c.t.Helper()
	c.signal(i, syscall.SIGSTOP)
}

// Unpause lets a paused broker go on.
func (c *Cluster) Unpause(i int) {
	c.t.Helper()
	c.signal(i, syscall.SIGCONT)
}

// Restart starts a killed broker, or kills and starts a running one, and returns when it is ready.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if running, _ := c.nodes[i].state(ctx); running {
		c.Kill(i)
	}
	if err := c.nodes[i].start(ctx); err != nil {
		c.t.Errorf("restart broker %d: %v", i, err)
		return
	}
	if err := c.await(ctx, i); err != nil {
		c.t.Error(err)
	}
}

func (c *Cluster) signal(i int, s syscall.Signal) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := c.nodes[i].signal(ctx, s); err != nil {
		c.t.Errorf("%v broker %d: %v", s, i, err)
	}
}

// of returns the cluster as t sees it: what goes wrong is t's failure.
func (c *Cluster) of(t testing.TB) *Cluster {
	view := *c
	view.t = t
	return &view
}

func start(mode string, o Options) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	o.Brokers = max(o.Brokers, 1)
	newNodes := newProcesses
	if mode == modeContainer {
		newNodes = newContainers
	}
	c, err := newNodes(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	for _, n := range c.nodes {
		if err := n.start(ctx); err != nil {
			c.close()
			return nil, fmt.Errorf("cluster: start: %w", err)
		}
	}
	for i := range c.nodes {
		if err := c.await(ctx, i); err != nil {
			c.close()
			return nil, fmt.Errorf("cluster: %w", err)
		}
	}
	return c, nil
}

func (c *Cluster) close() {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for _, n := range c.nodes {
		n.remove(ctx)
	}
	c.free()
}

// await returns when a broker answers its clients and is a member of the cluster. An open port is no proof: docker's
// proxy accepts connections before the broker does.
func (c *Cluster) await(ctx context.Context, i int) error {
	for {
		if registered(ctx, c.Seeds[i], nodeID(i)) {
			return nil
		}
		running, log := c.nodes[i].state(ctx)
		if !running {
			return fmt.Errorf("broker %d ended:\n%s", i, log)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("broker %d is not ready: %w\n%s", i, ctx.Err(), log)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func registered(ctx context.Context, seed string, id int32) bool {
	client, err := kgo.NewClient(kgo.SeedBrokers(seed), kgo.RequestRetries(0))
	if err != nil {
		return false
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	meta, err := kadm.NewClient(client).BrokerMetadata(ctx)
	return err == nil && slices.Contains(meta.Brokers.NodeIDs(), id)
}
