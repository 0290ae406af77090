package embedded_test

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/embedded"
)

func setup(t *testing.T, o embedded.Options, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	b, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestTopics(t *testing.T) {
	t.Parallel()
	c := setup(t, embedded.Options{Topics: map[string]int32{"one": 1, "four": 4}})
	topics, err := kadm.NewClient(c).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(topics["one"].Partitions); n != 1 {
		t.Errorf("one has %d partitions", n)
	}
	if n := len(topics["four"].Partitions); n != 4 {
		t.Errorf("four has %d partitions", n)
	}
	if n := len(topics["four"].Partitions[0].Replicas); n != 1 {
		t.Errorf("%d replicas", n)
	}
}

// TestTransactions writes a committed and an aborted record and reads what
// read_committed shows.
func TestTransactions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]embedded.Options{"memory": {}, "disk": {OnDisk: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Topics = map[string]int32{"t": 1}
			c := setup(t, o, kgo.TransactionalID("tx"), kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
				kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			transact(t, c, "aborted", kgo.TryAbort)
			transact(t, c, "committed", kgo.TryCommit)
			var got []string
			for len(got) == 0 && t.Context().Err() == nil {
				c.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
			}
			if !slices.Equal(got, []string{"committed"}) {
				t.Errorf("read %q", got)
			}
		})
	}
}

func transact(t *testing.T, c *kgo.Client, value string, end kgo.TransactionEndTry) {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := c.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

func TestMaxMessageBytes(t *testing.T) {
	t.Parallel()
	big := &kgo.Record{Topic: "t", Value: make([]byte, 2<<20)}
	uncompressed := []kgo.Opt{kgo.ProducerBatchMaxBytes(4 << 20), kgo.ProducerBatchCompression(kgo.NoCompression())}
	c := setup(t, embedded.Options{Topics: map[string]int32{"t": 1}, MaxMessageBytes: 4 << 20}, uncompressed...)
	if err := c.ProduceSync(t.Context(), big).FirstErr(); err != nil {
		t.Errorf("2 MiB into a topic that takes 4: %v", err)
	}
	c = setup(t, embedded.Options{Topics: map[string]int32{"t": 1}}, uncompressed...)
	if err := c.ProduceSync(context.Background(), big).FirstErr(); err == nil {
		t.Error("2 MiB into a topic that takes 1: no error")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	b, err := embedded.Start(embedded.Options{OnDisk: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
