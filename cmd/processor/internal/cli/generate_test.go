package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/cmd/processor/internal/topologies"
)

// TestGenerate writes payments, and reads what was written.
func TestGenerate(t *testing.T) {
	t.Parallel()
	brokers := broker(t, map[string]int32{"payments": 3, "card-limits": 3})
	for range 2 {
		r := call(t, "generate", "-c", configs+"fraud.yaml", "--kafka.brokers="+brokers, "--count=500", "--rate=0", "--cards=50", "--seed=7")
		if r.code != exitOK || !strings.HasPrefix(r.out, "500 payments of 50 cards") {
			t.Fatalf("got %+v", r)
		}
	}
	c, now := client(t, brokers, kgo.ConsumeTopics("payments", "card-limits")), time.Now()
	ids := map[string]int{}
	firstLimit, firstPayment := now, now
	for limits := 0; len(ids) < 500 || limits < 100; {
		poll(t, c, func(r *kgo.Record) {
			if r.Topic == "card-limits" {
				if limits++; r.Timestamp.Before(firstLimit) {
					firstLimit = r.Timestamp
				}
				return
			}
			if r.Timestamp.Before(firstPayment) {
				firstPayment = r.Timestamp
			}
			p, err := topologies.PaymentTopic("payments").Decode(r.Key, r.Value)
			if err != nil || p.Key == "" || p.Value.Cents < 1 {
				t.Errorf("%+v, %v", p, err)
			}
			if ids[p.Value.ID]++; r.Timestamp.After(now) {
				t.Errorf("%s is of %v, in the future", p.Value.ID, r.Timestamp)
			}
		})
	}
	if firstLimit.After(firstPayment) {
		t.Errorf("the first payment is of %v, the first limit of %v", firstPayment, firstLimit)
	}
	ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), "payments")
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	if n != 1000 {
		t.Errorf("%d payments, want 1000: each twice", n)
	}
}

func TestGenerateWithoutTopics(t *testing.T) {
	t.Parallel()
	r := call(t, "generate", "-c", configs+"fraud.yaml", "--kafka.brokers="+broker(t, nil), "--count=10", "--rate=0")
	r.expect(t, exitFailed, "processor topics")
}

// TestGenerateRefused: what brokers refuse for another reason is no missing topic.
func TestGenerateRefused(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "payments", "card-limits"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "payments", Err: kerr.InvalidTimestamp, Count: -1})
	r := call(t, "generate", "-c", configs+"fraud.yaml", "--kafka.brokers="+cluster.ListenAddrs()[0], "--count=10", "--rate=0", "--cards=5")
	if r.expect(t, exitFailed, "topic payments: INVALID_TIMESTAMP"); strings.Contains(r.err, "processor topics") {
		t.Errorf("got %s", r.err)
	}
}

// TestGenerateWithoutEnd writes payments as fast as possible until it is stopped: their
// times do not run ahead of the clock.
func TestGenerateWithoutEnd(t *testing.T) {
	t.Parallel()
	brokers := broker(t, map[string]int32{"payments": 1, "card-limits": 1})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan result, 1)
	go func() {
		var out, errs bytes.Buffer
		code := Main(ctx, []string{"generate", "-c", configs + "fraud.yaml", "--kafka.brokers=" + brokers, "--rate=0", "--cards=50"}, System{Out: &out, Err: &errs})
		done <- result{code, out.String(), errs.String()}
	}()
	c := client(t, brokers, kgo.ConsumeTopics("payments"))
	var last time.Time
	for n := 0; n < 5000; {
		poll(t, c, func(r *kgo.Record) {
			if n++; r.Timestamp.After(time.Now()) || r.Timestamp.Before(last) {
				t.Errorf("a payment of %v after one of %v", r.Timestamp, last)
			}
			last = r.Timestamp
		})
		if t.Failed() {
			break
		}
	}
	stop()
	if r := <-done; r.code != exitOK || r.err != "" {
		t.Errorf("got %+v", r)
	}
}

// TestSpan: times end now, or at most a day is made up, at the rate that this takes.
func TestSpan(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		rate  float64
		count int64
		made  float64
		ago   time.Duration
	}{
		{rate: 7, count: 1000, made: 7},
		{rate: 7, made: 7},
		{made: 100},
		{count: 360_000, made: 100, ago: time.Hour},
		{count: 86_400_000, made: 1000, ago: 24 * time.Hour},
	} {
		g := generator{count: c.count}
		if made := g.span(c.rate, now); made != c.made || now.Sub(g.start) != c.ago {
			t.Errorf("%+v: %v a second, from %v ago", c, made, now.Sub(g.start))
		}
	}
}
