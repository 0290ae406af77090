package kafka_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/kafka/kafkatest"
)

// bubble runs f with a cluster that has the topics in and out, of 4 partitions.
func bubble(t *testing.T, f func(*testing.T, *kafkatest.Cluster), opts ...kfake.Opt) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f(t, kafkatest.Start(t, append(opts, kfake.SeedTopics(4, "in", "out"))...))
	})
}

func in(p int32) kafka.TopicPartition { return kafka.TopicPartition{Topic: "in", Partition: p} }

func group(c *kafkatest.Cluster) *kafka.Group {
	return &kafka.Group{Name: "app", IDs: map[string][16]byte{"in": c.TopicInfo("in").TopicID, "out": c.TopicInfo("out").TopicID}}
}

// join makes a member of the group and waits until it has its partitions.
func join(t *testing.T, c *kafkatest.Cluster, opts ...kgo.Opt) (*kgo.Client, kafka.Identity) {
	cl := c.Client(append(opts, kgo.ConsumerGroup("app"), kgo.ConsumeTopics("in"), kgo.DisableAutoCommit())...)
	if _, err := c.WaitGroupStable(t.Context(), "app", 1); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	member, generation := cl.GroupMetadata()
	return cl, kafka.Identity{MemberID: member, Generation: generation}
}

var some = map[kafka.TopicPartition]kafka.Committed{
	{Topic: "in", Partition: 0}: {Offset: 5, Metadata: "five", LeaderEpoch: -1},
	{Topic: "in", Partition: 3}: {Offset: 7, LeaderEpoch: 2},
}

// want fails unless the group's committed offsets are these.
func want(t *testing.T, c *kafkatest.Cluster, offsets map[kafka.TopicPartition]kafka.Committed) {
	t.Helper()
	got, err := group(c).FetchStable(t.Context(), c.Client(), []kafka.TopicPartition{in(0), in(1), in(2), in(3)})
	if err != nil || !maps.Equal(got, offsets) {
		t.Errorf("got %v, %v, want %v", got, err, offsets)
	}
}

func TestCommit(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		want(t, c, nil)
		_, who := join(t, c)
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: 2})
		c.RehashCoordinators()
		if err := group(c).Commit(t.Context(), c.Client(), who, some); err != nil {
			t.Error(err)
		}
		want(t, c, some)
	})
}

// A broker before Kafka 4.1 names topics, a newer one knows ids alone.
func TestOlderRequests(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		_, who := join(t, c)
		if err := group(c).Commit(t.Context(), c.Client(), who, some); err != nil {
			t.Error(err)
		}
		want(t, c, some)
		cl := c.Client(kgo.TransactionalID("txn"))
		c.Begin(cl)
		more := map[kafka.TopicPartition]kafka.Committed{in(1): {Offset: 9, LeaderEpoch: -1}}
		if err := group(c).CommitTxn(t.Context(), cl, who, more); err != nil {
			t.Error(err)
		}
		c.Produce(cl, &kgo.Record{Topic: "out"})
		c.End(cl, kgo.TryCommit)
		maps.Copy(more, some)
		want(t, c, more)
	}, kfake.MaxVersions(kversion.V4_0_0()))
}

func TestRefusedCommits(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		_, who := join(t, c, kgo.InstanceID("me"))
		wrong := "you"
		strange := group(c)
		strange.IDs = map[string][16]byte{"in": {1}}
		stranger := group(c)
		stranger.IDs = nil
		for name, x := range map[string]struct {
			group *kafka.Group
			who   kafka.Identity
			err   *kerr.Error
			want  kafka.Action
		}{
			"no member":        {group(c), kafka.Identity{Generation: who.Generation}, nil, kafka.Fatal},
			"no generation":    {group(c), kafka.Identity{MemberID: who.MemberID, Generation: -1}, nil, kafka.Fatal},
			"no topic id":      {stranger, who, nil, kafka.Fatal},
			"other generation": {group(c), kafka.Identity{MemberID: who.MemberID, Generation: who.Generation + 1}, kerr.IllegalGeneration, kafka.WaitForAssignment},
			"other member":     {group(c), kafka.Identity{MemberID: "other", Generation: who.Generation}, kerr.UnknownMemberID, kafka.Lost},
			"other instance":   {group(c), kafka.Identity{MemberID: "other", Generation: who.Generation, InstanceID: strPtr("me")}, kerr.FencedInstanceID, kafka.Lost},
			"no such instance": {group(c), kafka.Identity{MemberID: who.MemberID, Generation: who.Generation, InstanceID: &wrong}, kerr.UnknownMemberID, kafka.Lost},
			"recreated topic":  {strange, who, kerr.UnknownTopicID, kafka.Fatal},
		} {
			cl := c.Client(kgo.TransactionalID("txn"))
			c.Begin(cl)
			for kind, err := range map[string]error{
				"plain":         x.group.Commit(t.Context(), c.Client(), x.who, some),
				"transactional": x.group.CommitTxn(t.Context(), cl, x.who, some),
			} {
				if err == nil || x.err != nil && !errors.Is(err, x.err) {
					t.Errorf("%s, %s: %v, want %v", name, kind, err, x.err)
				}
				if got := kafka.OnCommit(err); got != x.want {
					t.Errorf("%s, %s: %v, want %v", name, kind, got, x.want)
				}
			}
			cl.Close()
		}
		want(t, c, nil)
	})
}

func strPtr(s string) *string { return &s }

func TestCommitTxn(t *testing.T) {
	for name, how := range map[string]kgo.TransactionEndTry{"commit": kgo.TryCommit, "abort": kgo.TryAbort} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
				_, who := join(t, c, kgo.InstanceID("me"))
				who.InstanceID = strPtr("me")
				cl := c.Client(kgo.TransactionalID("txn"))
				c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.ConcurrentTransactions, Count: 2},
					kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.NotCoordinator})
				c.RehashCoordinators()
				c.Begin(cl)
				c.Produce(cl, &kgo.Record{Topic: "out"})
				first := map[kafka.TopicPartition]kafka.Committed{in(0): {Offset: 1}, in(3): {Offset: 1}}
				if err := errors.Join(group(c).CommitTxn(t.Context(), cl, who, first), group(c).CommitTxn(t.Context(), cl, who, some)); err != nil {
					t.Error(err)
				}
				start := time.Now()
				time.AfterFunc(5*time.Second, func() { c.End(cl, how) })
				if how == kgo.TryCommit {
					want(t, c, some)
				} else {
					want(t, c, nil)
				}
				if took := time.Since(start); took < 5*time.Second || took > 7*time.Second {
					t.Errorf("the offsets were stable after %v", took)
				}
			})
		})
	}
}

// What a broker does not speak of is not taken for uncommitted.
func TestOmitted(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		_, who := join(t, c)
		if err := group(c).Commit(t.Context(), c.Client(), who, some); err != nil {
			t.Error(err)
		}
		c.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
			resp.Groups = []kmsg.OffsetFetchResponseGroup{{Group: "app"}}
			return resp, nil, true
		})
		want(t, c, some)
	})
}

// While a transaction is open its offsets are not known, and ctx bounds the wait.
func TestUnstable(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		_, who := join(t, c)
		cl := c.Client(kgo.TransactionalID("txn"))
		c.Begin(cl)
		c.Produce(cl, &kgo.Record{Topic: "out"})
		if err := group(c).CommitTxn(t.Context(), cl, who, some); err != nil {
			t.Error(err)
		}
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, enough)
		defer cancel()
		got, err := group(c).FetchStable(ctx, c.Client(), []kafka.TopicPartition{in(0)})
		if !errors.Is(err, enough) || !errors.Is(err, kerr.UnstableOffsetCommit) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// A fenced producer's offsets go nowhere.
func TestZombie(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		_, who := join(t, c)
		cl := c.Client(kgo.TransactionalID("txn"))
		c.Begin(cl)
		c.Produce(cl, &kgo.Record{Topic: "out"})
		if err := kafka.Fence(t.Context(), c.Client(), []string{"txn"}, time.Minute); err != nil {
			t.Error(err)
		}
		if err := group(c).CommitTxn(t.Context(), cl, who, some); kafka.OnCommit(err) != kafka.ProducerDead {
			t.Errorf("got %v", err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "out"}).FirstErr(); kafka.OnProduce(err) != kafka.ProducerDead {
			t.Errorf("got %v", err)
		}
		if err := cl.EndTransaction(t.Context(), kgo.TryCommit); kafka.OnEnd(err) == kafka.TxnCommitted {
			t.Errorf("got %v", err)
		}
		want(t, c, nil)
	})
}
