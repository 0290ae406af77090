package changelog

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/kafka/kafkatest"
)

const topic = "app-counts-changelog"

// A fixture is a cluster with a changelog topic.
type fixture struct {
	*kafkatest.Cluster
	t  *testing.T
	cl *kgo.Client
}

// bubble runs f with a fixture whose topic has so many partitions.
func bubble(t *testing.T, partitions int32, f func(*testing.T, *fixture), opts ...kfake.Opt) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kafkatest.Start(t, append(opts, kfake.SeedTopics(partitions, topic))...)
		f(t, &fixture{c, t, c.Client()})
	})
}

// target is partition p from an offset to its present end.
func (f *fixture) target(p int32, from int64) Target {
	tp := kafka.TopicPartition{Topic: topic, Partition: p}
	ends, err := kafka.ListOffsets(f.t.Context(), f.cl, End, []kafka.TopicPartition{tp})
	if err != nil {
		f.t.Fatal(err)
	}
	return Target{tp, f.TopicInfo(topic).TopicID, from, ends[tp]}
}

// put writes n records, each a batch of its own.
func (f *fixture) put(cl *kgo.Client, p int32, n int) {
	for i := range n {
		f.Produce(cl, record(p, fmt.Sprintf("%d-%d", p, i)))
	}
}

func record(p int32, key string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: p, Key: []byte(key), Value: []byte("v")}
}

func (f *fixture) txn(id string) *kgo.Client { return f.Client(kgo.TransactionalID(id)) }

// A log collects what apply is told, and checks what must hold of it.
type log struct {
	t  *testing.T
	mu sync.Mutex
	at map[kafka.TopicPartition]*tail
}

type tail struct {
	keys    []string
	next    int64
	end     int64
	batches int
	busy    sync.Mutex // held within apply
}

func (l *log) apply(b Batch) error {
	l.mu.Lock()
	tl := l.at[b.TopicPartition]
	l.mu.Unlock()
	if tl == nil {
		l.t.Errorf("%s is no target", b.TopicPartition)
		return nil
	}
	if !tl.busy.TryLock() {
		l.t.Errorf("%s: two batches at the same time", b.TopicPartition)
		return nil
	}
	defer tl.busy.Unlock()
	last := tl.next - 1
	for _, r := range b.Records {
		if r.Offset <= last {
			l.t.Errorf("%s: record %d after %d", b.TopicPartition, r.Offset, last)
		}
		last = r.Offset
		tl.keys = append(tl.keys, string(r.Key))
	}
	if b.Next <= last || b.Next < tl.next {
		l.t.Errorf("%s: position %d after %d", b.TopicPartition, b.Next, last)
	}
	tl.next, tl.end = b.Next, b.End
	tl.batches++
	return nil
}

// run reads targets to their ends.
func (f *fixture) run(cfg Config, targets ...Target) (*log, error) {
	l := newLog(f.t, targets)
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Hour)
	defer cancel()
	err := NewReader(f.cl, cfg).Run(ctx, targets, l.apply)
	for _, t := range targets {
		if got := l.at[t.TopicPartition].next; err == nil && got != t.Until {
			f.t.Errorf("%s: at %d, not at %d", t.TopicPartition, got, t.Until)
		}
	}
	return l, err
}

func newLog(t *testing.T, targets []Target) *log {
	l := &log{t: t, at: map[kafka.TopicPartition]*tail{}}
	for _, t := range targets {
		l.at[t.TopicPartition] = &tail{next: t.From}
	}
	return l
}

func (l *log) keys(p int32) string {
	return strings.Join(l.at[kafka.TopicPartition{Topic: topic, Partition: p}].keys, " ")
}
