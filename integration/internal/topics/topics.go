// Package topics makes, fills and reads a test's topics. It knows nothing of leat.
package topics

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/cluster"
)

// Topics are those of a cluster.
type Topics struct {
	// Client writes. Records go to the partition that their key hashes to, or that they name if they have no key.
	Client *kgo.Client
	Admin  *kadm.Client

	seeds []string
}

// Of returns the topics of a cluster, until the test ends.
func Of(t testing.TB, c *cluster.Cluster) *Topics {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds...), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(1<<16))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &Topics{Client: cl, Admin: kadm.NewClient(cl), seeds: c.Seeds}
}

// Create makes topics, and returns when they can be used.
func (ts *Topics) Create(ctx context.Context, partitions int32, names ...string) error {
	created, err := ts.Admin.CreateTopics(ctx, partitions, -1, nil, names...)
	if err == nil {
		err = created.Error()
	}
	for err == nil {
		ends, listErr := ts.Admin.ListEndOffsets(ctx, names...)
		if listErr == nil && ends.Error() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return err
}

// Spans are the log starts and the ends of a topic's partitions, up to where everything is committed or aborted.
func (ts *Topics) Spans(ctx context.Context, topic string) (map[int32]Span, error) {
	starts, err := ts.Admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	ends, err := ts.Admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	spans := make(map[int32]Span)
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, end.Partition)
		spans[end.Partition] = Span{start.Offset, end.Offset}
	})
	return spans, nil
}

// Disk is how many bytes a topic takes on the brokers' disks.
func (ts *Topics) Disk(ctx context.Context, topic string) (size int64, err error) {
	dirs, err := ts.Admin.DescribeAllLogDirs(ctx, nil)
	dirs.Each(func(d kadm.DescribedLogDir) {
		for _, p := range d.Topics[topic] {
			size += p.Size
		}
	})
	if err == nil && size == 0 {
		err = fmt.Errorf("no broker has %s on a disk", topic)
	}
	return size, err
}

// A Span is what a partition holds: offsets from Start to before End.
type Span struct{ Start, End int64 }
