package cluster_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// TestTransactions: what was aborted is not read, what was committed is read once.
func TestTransactions(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	f := setup(t, c, "transactions")
	f.transact(100, kgo.TryCommit)
	f.transact(100, kgo.TryAbort)
	f.transact(100, kgo.TryCommit)
	f.readCommitted(200)
}

// TestFaults: a cluster of three goes on without a broker, takes it back, and a paused broker is silent.
func TestFaults(t *testing.T) {
	start := time.Now()
	c := cluster.Start(t, cluster.Options{Brokers: 3})
	t.Logf("%s, 3 brokers ready after %v", c.Mode, time.Since(start).Round(time.Millisecond))
	f := setup(t, c, "faults")
	f.transact(100, kgo.TryCommit)

	victim := f.leader()
	c.Kill(victim)
	f.transact(100, kgo.TryCommit)
	c.Restart(victim)
	f.transact(100, kgo.TryCommit)

	c.Pause(victim)
	if answers(t, c.Seeds[victim]) {
		t.Error("a paused broker answered")
	}
	c.Unpause(victim)
	f.transact(100, kgo.TryCommit)
	if !answers(t, c.Seeds[victim]) {
		t.Error("a broker that goes on did not answer")
	}
	f.readCommitted(400)
}

// A fixture is a transactional producer to one topic, and what it has committed.
type fixture struct {
	*testing.T
	ctx       context.Context
	seeds     []string
	topic     string
	client    *kgo.Client
	committed map[string]bool
	rounds    int
}

func setup(t *testing.T, c *cluster.Cluster, topic string) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds...), kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 3, -1, nil, topic); err != nil {
		t.Fatal(err)
	}
	return &fixture{T: t, ctx: ctx, seeds: c.Seeds, topic: topic, client: client, committed: make(map[string]bool)}
}

// transact writes n records in one transaction, again and again until it ends as it should.
func (f *fixture) transact(n int, end kgo.TransactionEndTry) {
	f.Helper()
	start := time.Now()
	for f.try(n, end) != nil {
		if f.ctx.Err() != nil {
			f.Fatal(f.ctx.Err())
		}
	}
	f.Logf("transaction %d after %v", f.rounds, time.Since(start).Round(time.Millisecond))
}

func (f *fixture) try(n int, end kgo.TransactionEndTry) error {
	f.rounds++
	if err := f.client.BeginTransaction(); err != nil {
		f.Fatal(err)
	}
	var values []string
	for i := range n {
		v := fmt.Sprintf("%d/%d", f.rounds, i)
		values = append(values, v)
		f.client.Produce(f.ctx, kgo.KeyStringRecord(v, v), nil)
	}
	err := f.client.Flush(f.ctx)
	if err == nil {
		err = f.client.EndTransaction(f.ctx, end)
	}
	if err != nil {
		f.client.EndTransaction(f.ctx, kgo.TryAbort)
		return err
	}
	for _, v := range values {
		if end == kgo.TryCommit {
			f.committed[v] = true
		}
	}
	return nil
}

func answers(t *testing.T, seed string) bool {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(seed))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return client.Ping(ctx) == nil
}

func (f *fixture) leader() int {
	f.Helper()
	meta, err := kadm.NewClient(f.client).Metadata(f.ctx, f.topic)
	if err != nil {
		f.Fatal(err)
	}
	return int(meta.Topics[f.topic].Partitions[0].Leader) - 1
}

// readCommitted reads until it has seen n records, each of them committed and new.
func (f *fixture) readCommitted(n int) {
	f.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(f.seeds...), kgo.ConsumeTopics(f.topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		f.Fatal(err)
	}
	defer reader.Close()
	for read := 0; read < n; {
		fetches := reader.PollFetches(f.ctx)
		if err := fetches.Err(); err != nil {
			f.Fatal(err)
		}
		for r := range fetches.RecordsAll() {
			read++
			if v := string(r.Value); !f.committed[v] {
				f.Fatalf("read %s: aborted, or twice", v)
			}
			delete(f.committed, string(r.Value))
		}
	}
	if len(f.committed) > 0 {
		f.Fatalf("%d committed records are missing", len(f.committed))
	}
}
