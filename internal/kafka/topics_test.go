package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/kafka/kafkatest"
)

func TestDescribe(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		if err := c.MoveTopicPartition("in", 2, 1); err != nil {
			t.Fatal(err)
		}
		topics, err := kafka.Describe(t.Context(), c.Client(), []string{"in", "missing", "in"})
		if err != nil || len(topics) != 2 {
			t.Fatal(topics, err)
		}
		in := topics["in"]
		if !in.Exists || in.Partitions != 4 || in.ID != c.TopicInfo("in").TopicID || len(in.Leaders) != 4 {
			t.Errorf("got %+v", in)
		}
		if want := (kafka.Leader{Node: 1, Epoch: c.PartitionInfo("in", 2).Epoch}); in.Leaders[2] != want {
			t.Errorf("got %v, want %v", in.Leaders[2], want)
		}
		if missing, ok := topics["missing"]; !ok || missing.Exists {
			t.Errorf("got %+v", missing)
		}
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "in", Err: kerr.TopicAuthorizationFailed})
		if _, err := kafka.Describe(t.Context(), c.Client(), []string{"in"}); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCreate(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.NotController},
			kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "app-b-repartition", Err: kerr.ThrottlingQuotaExceeded, Count: 2},
			kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "app-a-changelog", Err: kerr.RequestTimedOut}, // but done
			kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "app-a-changelog", Err: kerr.LeaderNotAvailable, Count: 3})
		specs := []kafka.TopicSpec{
			{"app-a-changelog", 3, -1, kafka.ChangelogConfig()},
			{"app-b-repartition", 2, 1, kafka.RepartitionConfig()},
			{"app-c-changelog", 1, -1, kafka.WindowChangelogConfig(time.Hour)},
			{"app-d-changelog", 1, -1, kafka.VersionedChangelogConfig(time.Hour)},
		}
		var wg sync.WaitGroup
		for range 3 { // instances that start together
			wg.Go(func() {
				if err := kafka.Create(t.Context(), c.Client(), specs); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, s := range specs {
			info := c.TopicInfo(s.Name)
			if info == nil || len(c.PartitionInfos(s.Name)) != int(s.Partitions) || len(info.Configs) != len(s.Configs) {
				t.Errorf("%s: %+v", s.Name, info)
				continue
			}
			for k, v := range s.Configs {
				if got := info.Configs[k]; got == nil || *got != v {
					t.Errorf("%s: %s is not %s", s.Name, k, v)
				}
			}
		}
	})
}

// What Kafka Streams gives its internal topics, byte for byte.
func TestInternalConfigs(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]map[string]string{
		"map[cleanup.policy:compact message.timestamp.type:CreateTime]":                                       kafka.ChangelogConfig(),
		"map[cleanup.policy:compact,delete message.timestamp.type:CreateTime retention.ms:90000000]":          kafka.WindowChangelogConfig(time.Hour),
		"map[cleanup.policy:compact message.timestamp.type:CreateTime min.compaction.lag.ms:90000000]":        kafka.VersionedChangelogConfig(time.Hour),
		"map[cleanup.policy:delete message.timestamp.type:CreateTime retention.ms:-1 segment.bytes:52428800]": kafka.RepartitionConfig(),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func TestCreateRefused(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		err := kafka.Create(t.Context(), c.Client(), []kafka.TopicSpec{{"in", 5, -1, nil}, {"out", 4, -1, nil}, {"new", 1, -1, nil}})
		if err == nil || !strings.Contains(err.Error(), "topic in exists with 4 partitions, but needs 5") {
			t.Errorf("got %v", err)
		}
		err = kafka.Create(t.Context(), c.Client(), []kafka.TopicSpec{{"a", 1, 9, nil}, {"b", 0, -1, nil}})
		if !errors.Is(err, kerr.InvalidReplicationFactor) || !errors.Is(err, kerr.InvalidPartitions) {
			t.Errorf("got %v", err)
		}
		if err := kafka.Create(t.Context(), c.Client(), nil); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestPurge(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		cl := c.Client()
		for p := range int32(4) {
			for range 10 {
				c.Produce(cl, &kgo.Record{Topic: "in", Partition: p})
			}
		}
		c.ShufflePartitionLeaders()
		if err := kafka.Purge(t.Context(), cl, map[kafka.TopicPartition]int64{in(0): 3, in(1): 0, in(3): 10}); err != nil {
			t.Error(err)
		}
		if err := kafka.Purge(t.Context(), cl, map[kafka.TopicPartition]int64{in(0): 2}); err != nil { // gone already
			t.Error(err)
		}
		wantOffsets(t, cl, kafka.Earliest, map[kafka.TopicPartition]int64{in(0): 3, in(1): 0, in(2): 0, in(3): 10})
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteRecords}, Partitions: []int32{0}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		err := kafka.Purge(t.Context(), cl, map[kafka.TopicPartition]int64{in(0): 4, in(1): 4})
		if e, ok := errors.AsType[*kafka.PartitionError](err); !ok || e.TopicPartition != in(0) {
			t.Errorf("got %v", err)
		}
		wantOffsets(t, cl, kafka.Earliest, map[kafka.TopicPartition]int64{in(0): 3, in(1): 4})
	})
}

func wantOffsets(t *testing.T, cl *kgo.Client, at kafka.LogPoint, want map[kafka.TopicPartition]int64) {
	t.Helper()
	var tps []kafka.TopicPartition
	for tp := range want {
		tps = append(tps, tp, tp) // twice does no harm
	}
	got, err := kafka.ListOffsets(t.Context(), cl, at, tps)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestListOffsets(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		cl, txn := c.Client(), c.Client(kgo.TransactionalID("txn"))
		for range 5 {
			c.Produce(cl, &kgo.Record{Topic: "in", Partition: 1})
		}
		if err := c.DeleteRecords("in", 1, 2); err != nil {
			t.Fatal(err)
		}
		c.Begin(txn)
		c.Produce(txn, &kgo.Record{Topic: "in", Partition: 1})
		for point, want := range map[kafka.LogPoint]int64{kafka.Earliest: 2, kafka.LastStable: 5, kafka.Latest: 6} {
			c.ShufflePartitionLeaders()
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Partitions: []int32{1}, Err: kerr.OffsetNotAvailable, Count: 2},
				kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Partitions: []int32{0}, Err: kerr.LeaderNotAvailable, Count: 3})
			wantOffsets(t, cl, point, map[kafka.TopicPartition]int64{in(0): 0, in(1): want, in(3): 0})
		}
	})
}

func TestListOffsetsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		start := time.Now()
		_, err := kafka.ListOffsets(t.Context(), c.Client(), kafka.Latest, []kafka.TopicPartition{{Topic: "new"}})
		if took := time.Since(start); !errors.Is(err, kerr.UnknownTopicOrPartition) || took < 10*time.Second || took > 30*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
		time.AfterFunc(5*time.Second, func() { _ = c.CreateTopic("new", 1, nil) })
		wantOffsets(t, c.Client(), kafka.Latest, map[kafka.TopicPartition]int64{{Topic: "new"}: 0})

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.LeaderNotAvailable, Count: -1})
		_, err = kafka.ListOffsets(ctx, c.Client(), kafka.Latest, []kafka.TopicPartition{in(0)})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, kerr.LeaderNotAvailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFence(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		var ids []string
		for i := range 8 {
			id := fmt.Sprint("app-", i)
			ids = append(ids, id, fmt.Sprint("never-used-", i))
			cl := c.Client(kgo.TransactionalID(id), kgo.TransactionTimeout(10*time.Minute))
			c.Begin(cl)
			c.Produce(cl, &kgo.Record{Topic: "in", Partition: int32(i % 4)})
		}
		for _, e := range []*kerr.Error{kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator} {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: e, Count: 5})
		}
		if err := kafka.Fence(t.Context(), c.Client(), ids, 10*time.Second); err != nil {
			t.Error(err)
		}
		for _, point := range []kafka.LogPoint{kafka.LastStable, kafka.Latest} { // two records, two markers
			wantOffsets(t, c.Client(), point, map[kafka.TopicPartition]int64{in(0): 4, in(1): 4, in(2): 4, in(3): 4})
		}
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TxnID: "app-3", Err: kerr.TransactionalIDAuthorizationFailed})
		err := kafka.Fence(t.Context(), c.Client(), ids, 10*time.Second)
		if !errors.Is(err, kerr.TransactionalIDAuthorizationFailed) || !strings.Contains(err.Error(), "app-3") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCheckBroker(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		if err := kafka.CheckBroker(t.Context(), c.Client()); err != nil {
			t.Error(err)
		}
		down := kadm.FeatureUpdate{Feature: "transaction.version", MaxVersionLevel: 1, UpgradeType: 2}
		if _, err := kadm.NewClient(c.Client()).UpdateFeatures(t.Context(), false, down); err != nil {
			t.Fatal(err)
		}
		err := kafka.CheckBroker(t.Context(), c.Client())
		if !errors.Is(err, kafka.ErrBroker) || !strings.Contains(err.Error(), "has finalized 1; upgrade the feature with kafka-features.sh --bootstrap-server localhost:9") {
			t.Errorf("got %v", err)
		}
	})
}

// Brokers that are away for a moment say nothing of their age.
func TestCheckBrokersThatComeBack(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		var gone atomic.Bool
		gone.Store(true)
		time.AfterFunc(3*time.Second, func() { gone.Store(false) })
		if err := kafka.CheckBroker(t.Context(), c.Client(behind(c.Client(), -1, &gone))); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckOldBroker(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		err := kafka.CheckBroker(t.Context(), c.Client())
		if !errors.Is(err, kafka.ErrBroker) || !strings.Contains(err.Error(), "supports 0 at most: it is older; upgrade the brokers, then") {
			t.Errorf("got %v", err)
		}
	}, kfake.MaxVersions(kversion.V3_9_0()))
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{-1: 0, 0: 0, 1: 25 * time.Millisecond, 3: 100 * time.Millisecond, 7: time.Second, 1 << 40: time.Second} {
		if got := kafka.Backoff(failures); got != want {
			t.Errorf("after %d: %v, want %v", failures, got, want)
		}
	}
}
