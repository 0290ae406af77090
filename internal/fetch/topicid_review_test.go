package fetch

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type fetchCounter struct{ n atomic.Int64 }

func (c *fetchCounter) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, _ kgo.BrokerE2E) {
	if key == 1 {
		c.n.Add(1)
	}
}

// A topic that is deleted and created anew is never read again by the client, which
// says so for every fetch (UNKNOWN_TOPIC_ID; kgo's source.go: "worth bubbling up").
// kerr calls the error retriable, so classify passes over it: the partition stands
// still for ever, nothing is logged, and after its first tries the client asks again
// without a pause.
// (Not in a synctest bubble: the loop is so tight that virtual time stands still.)
func TestRecreatedTopicIsNoticed(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var fetches fetchCounter
	opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	f, err := New(append(opts[:1:1], kgo.WithHooks(&fetches)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	defer func() { cancel(); <-f.done }()
	out := NewInbox()
	if err := f.Add(ctx, []*Feed{{Topic: "in", To: out, Limit: 1 << 20}}); err != nil {
		t.Fatal(err)
	}
	adm, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Close()
	produce := func() {
		t.Helper()
		if err := adm.ProduceSync(ctx, &kgo.Record{Topic: "in", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	produce()
	<-out.Some()
	out.Take()

	name := "in"
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TopicNames = []string{name}
	dt := kmsg.NewDeleteTopicsRequestTopic()
	dt.Topic = &name
	del.Topics = append(del.Topics, dt)
	if _, err := del.RequestWith(ctx, adm); err != nil {
		t.Fatal(err)
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, 1, 1
	create.Topics = append(create.Topics, ct)
	if _, err := create.RequestWith(ctx, adm); err != nil {
		t.Fatal(err)
	}
	adm.PurgeTopicsFromClient(name)
	produce()
	produce()

	asked := fetches.n.Load()
	select {
	case err := <-ended:
		t.Logf("Run ended: %v", err)
	case <-out.Some():
		t.Log("read on")
	case <-time.After(25 * time.Second):
		t.Errorf("25 s after the topic was created anew nothing is read, Run has not ended, and the client has asked %d times", fetches.n.Load()-asked)
	}
}
