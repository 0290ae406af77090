package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/program"
)

// TestJoinsAcrossKills: a process that joins two streams, a table with another by foreign keys, and a stream with a
// global table is killed with -9 again and again while records come, once with its local state lost. Each pair is there
// once, each record has met the global table once, and each order has the last version of its customer.
func TestJoinsAcrossKills(t *testing.T) {
	t.Parallel()
	f := setup(t, "joins", 3)
	program.Build(t, "internal/joins")
	f.must(f.topics.Create(f.ctx, 3, f.joinTopics("views", "clicks", "names", "orders", "customers", "pairs", "named", "bills")...))
	const rounds, size = 4, 300
	for key := range joinKeys {
		f.produce("names", 0, key, "n"+fmt.Sprint(key))
	}
	f.must(f.topics.Client.Flush(f.ctx))
	customers := make(map[string]string)
	svc := program.New(f, "joins", program.Build(f, "internal/joins"),
		"-application="+f.app, "-brokers="+strings.Join(f.seeds, ","), "-state="+f.state("joins"))
	p := f.start(svc)
	for round := range rounds {
		for i := range size {
			n := round*size + i
			f.produce("views", 2*n, n%joinKeys, fmt.Sprint(n))
			f.produce("clicks", 2*n+1, n%joinKeys, fmt.Sprint(n))
			f.produce("orders", 2*n, n, fmt.Sprint("c", n%10))
			if n%25 == 0 {
				customer := fmt.Sprint("c", n/25%10)
				customers[customer] = fmt.Sprint("v", n)
				f.produceKey("customers", 2*n, customer, customers[customer])
			}
		}
		f.must(f.topics.Client.Flush(f.ctx))
		f.awaitSome("pairs", int64(round*size)+f.rnd.Int64N(size))
		if round == rounds-1 {
			break
		}
		p.Kill()
		if round == 1 {
			f.must(os.RemoveAll(filepath.Join(f.state("joins"), "engine")))
		}
		p = f.start(svc)
	}
	f.checkOnce("pairs", rounds*size, func(n int) string { return fmt.Sprint(n, " ", n) })
	f.checkOnce("named", rounds*size, func(n int) string { return fmt.Sprint(n, " n", n%joinKeys) })
	f.checkBills(rounds*size, customers)
	f.must(p.Stop(f.ctx))
}

func (f *fixture) joinTopics(names ...string) (topics []string) {
	for _, name := range names {
		topics = append(topics, f.app+"-"+name)
	}
	return topics
}

func (f *fixture) produce(topic string, at, key int, value string) {
	f.produceKey(topic, at, fmt.Sprint(key), value)
}

// produceKey writes a record, whose time is at past the test's epoch in ms.
func (f *fixture) produceKey(topic string, at int, key, value string) {
	r := &kgo.Record{Topic: f.app + "-" + topic, Key: []byte(key), Value: []byte(value), Timestamp: joinEpoch.Add(time.Duration(at) * time.Millisecond)}
	f.topics.Client.Produce(f.ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			f.Error(err)
		}
	})
}

// awaitSome waits until a topic has so many records, about.
func (f *fixture) awaitSome(topic string, want int64) {
	f.Helper()
	for {
		spans, err := f.topics.Spans(f.ctx, f.app+"-"+topic)
		f.must(err)
		var got int64
		for _, s := range spans {
			got += s.End
		}
		if got >= want {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-f.ctx.Done():
			f.Fatalf("%s has %d of %d records", topic, got, want)
		}
	}
}

// follow reads a topic from its beginning until enough says so.
func (f *fixture) follow(topic string, take func(*kgo.Record) error, enough func() bool) {
	f.Helper()
	r, err := f.topics.Reader(f.app + "-" + topic)
	f.must(err)
	defer r.Close()
	ctx, cancel := context.WithTimeoutCause(f.ctx, 30*time.Second, errors.New(topic+" has not all that it should have"))
	defer cancel()
	for !enough() {
		records, err := r.Next(ctx)
		if err != nil {
			f.Fatal(cmp.Or(context.Cause(ctx), err))
		}
		f.must(each(records, take))
	}
	f.must(r.Rest(f.ctx, take))
}

// checkOnce reads n different values, each once: those that want says.
func (f *fixture) checkOnce(topic string, n int, want func(n int) string) {
	f.Helper()
	left := make(map[string]bool)
	for i := range n {
		left[want(i)] = true
	}
	f.follow(topic, func(r *kgo.Record) error {
		if !left[string(r.Value)] {
			return fmt.Errorf("%s[%d] at %d: %q is not expected, or not again", r.Topic, r.Partition, r.Offset, r.Value)
		}
		delete(left, string(r.Value))
		return nil
	}, func() bool { return len(left) == 0 })
}

// checkBills reads until each order was last billed with the last version of its customer.
func (f *fixture) checkBills(orders int, customers map[string]string) {
	f.Helper()
	want, got := make(map[string]string), make(map[string]string)
	for n := range orders {
		customer := fmt.Sprint("c", n%10)
		want[fmt.Sprint(n)] = customer + " " + customers[customer]
	}
	f.follow("bills", func(r *kgo.Record) error {
		got[string(r.Key)] = string(r.Value)
		return nil
	}, func() bool { return len(got) == len(want) && maps.Equal(got, want) })
	if !maps.Equal(got, want) {
		f.Error("a bill has changed after the last")
	}
}

// joinEpoch is when the first record is written: an old one would be deleted by its topic's retention.
var joinEpoch = time.Now()
