// Package kafkatest gives tests a cluster of brokers under a virtual clock: a
// kfake on a network of its own, in a testing/synctest bubble. A bubble also
// fails a test that leaves a goroutine behind.
package kafkatest

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Cluster ends with its test. Its methods may be called concurrently.
type Cluster struct {
	*kfake.Cluster
	// Opts connect a client.
	Opts []kgo.Opt

	t testing.TB
}

// Start starts three brokers, or as many as opts say on ports from 9092 on. It
// must be called in a bubble.
func Start(t testing.TB, opts ...kfake.Opt) *Cluster {
	t.Helper()
	net := new(kfake.VirtualNetwork)
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.Ports(9092, 9093, 9094), kfake.ListenFn(net.Listen)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &Cluster{c, []kgo.Opt{kgo.SeedBrokers("localhost:9092"), kgo.Dialer(net.DialContext)}, t}
}

// Client returns a client that is closed when the test ends.
func (c *Cluster) Client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	cl, err := kgo.NewClient(append(c.Opts, append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// Produce writes records and returns when the brokers have them.
func (c *Cluster) Produce(cl *kgo.Client, records ...*kgo.Record) {
	c.t.Helper()
	if err := cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// Begin begins a transaction of cl.
func (c *Cluster) Begin(cl *kgo.Client) {
	c.t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		c.t.Fatal(err)
	}
}

// End ends a transaction of cl.
func (c *Cluster) End(cl *kgo.Client, how kgo.TransactionEndTry) {
	c.t.Helper()
	if err := cl.EndTransaction(context.Background(), how); err != nil {
		c.t.Fatal(err)
	}
}
