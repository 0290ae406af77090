package changelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a consumer says nothing of is passed as well: at the end of the log and
// in its middle.
func TestTails(t *testing.T) {
	abort := func(f *fixture, id string, keys ...string) { transact(f, id, kgo.TryAbort, keys...) }
	commit := func(f *fixture, id string, keys ...string) { transact(f, id, kgo.TryCommit, keys...) }
	for name, c := range map[string]struct {
		write func(*fixture)
		want  string
		until int64
	}{
		"nothing":        {func(*fixture) {}, "", 0},
		"marker":         {func(f *fixture) { commit(f, "a", "1", "2") }, "1 2", 3},
		"aborted":        {func(f *fixture) { f.put(f.cl, 0, 1); abort(f, "a", "1", "2") }, "0-0", 4},
		"only aborted":   {func(f *fixture) { abort(f, "a", "1"); abort(f, "a", "2") }, "", 4},
		"between":        {func(f *fixture) { abort(f, "a", "1"); commit(f, "a", "2"); abort(f, "a", "3") }, "2", 6},
		"two producers":  {interleave, "b0 b1", 6},
		"empty markers":  {func(f *fixture) { commit(f, "a", "1"); commit(f, "b", "2"); f.put(f.cl, 0, 1) }, "1 2 0-0", 5},
		"commit aborted": {func(f *fixture) { commit(f, "a", "1"); abort(f, "a", "2"); f.put(f.cl, 0, 1) }, "1 0-0", 5},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, f *fixture) {
				c.write(f)
				target := f.target(0, 0)
				if target.Until != c.until {
					t.Errorf("the log ends at %d, not %d", target.Until, c.until)
				}
				l, err := f.run(Config{}, target)
				if err != nil || l.keys(0) != c.want {
					t.Errorf("got %q, %v, want %q", l.keys(0), err, c.want)
				}
				if l.at[target.TopicPartition].batches == 0 {
					t.Error("apply was never told of the end")
				}
			})
		})
	}
}

// transact writes one record per key, each a batch of its own.
func transact(f *fixture, id string, how kgo.TransactionEndTry, keys ...string) {
	cl := f.txn(id)
	f.Begin(cl)
	for _, k := range keys {
		f.Produce(cl, record(0, k))
	}
	f.End(cl, how)
	cl.Close()
}

// interleave writes a transaction that aborts and one that commits, at a time.
func interleave(f *fixture) {
	a, b := f.txn("a"), f.txn("b")
	f.Begin(a)
	f.Begin(b)
	for i := range 2 {
		f.Produce(a, record(0, fmt.Sprint("a", i)))
		f.Produce(b, record(0, fmt.Sprint("b", i)))
	}
	f.End(a, kgo.TryAbort)
	f.End(b, kgo.TryCommit)
}

func TestFromWithinBatch(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		var records []*kgo.Record
		for i := range 10 {
			records = append(records, record(0, fmt.Sprint(i)))
		}
		f.Produce(f.cl, records...)
		target := f.target(0, 3)
		target.Until = 7
		l, err := f.run(Config{}, target)
		if err != nil || l.keys(0) != "3 4 5 6" {
			t.Errorf("got %q, %v", l.keys(0), err)
		}
	})
}

// There may be nothing left at Until itself.
func TestCompacted(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		if err := f.DeleteTopic(topic); err != nil {
			t.Fatal(err)
		}
		if err := f.CreateTopic(topic, 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		keys := []string{"first", "x", "x", "x", "x", "x", "last"}
		for _, k := range keys {
			f.Produce(f.cl, record(0, k))
		}
		whole, middle := f.target(0, 0), f.target(0, 0)
		middle.Until = 3
		f.Compact()
		for want, target := range map[string]Target{"first x last": whole, "first": middle} {
			l, err := f.run(Config{}, target)
			if err != nil || l.keys(0) != want {
				t.Errorf("up to %d: got %q, %v, want %q", target.Until, l.keys(0), err, want)
			}
		}
	})
}

func TestNull(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		at := time.UnixMilli(1234567890123)
		f.Produce(f.cl,
			&kgo.Record{Topic: topic, Key: []byte("tombstone"), Timestamp: at},
			&kgo.Record{Topic: topic, Key: []byte("empty"), Value: []byte{}, Timestamp: at},
			&kgo.Record{Topic: topic, Key: []byte{}, Value: []byte("v"), Timestamp: at, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "null"}}},
			&kgo.Record{Topic: topic, Value: []byte("v"), Timestamp: at})
		var got []string
		err := NewReader(f.cl, Config{}).Run(t.Context(), []Target{f.target(0, 0)}, func(b Batch) error {
			for _, r := range b.Records {
				if r.Time != at.UnixMilli() {
					t.Errorf("%s has the time %v", r.Key, r.Time)
				}
				got = append(got, fmt.Sprintf("%q %v %q %v %v", r.Key, r.Key == nil, r.Value, r.Value == nil, r.Headers))
			}
			return nil
		})
		want := []string{`"tombstone" false "" true []`, `"empty" false "" false []`, `"" false "v" false [{h [49]} {null []}]`, `"" true "v" false []`}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestManyPartitions(t *testing.T) {
	bubble(t, 12, func(t *testing.T, f *fixture) {
		txn := f.txn("a")
		for round := range 3 {
			f.Begin(txn)
			for p := range int32(12) {
				if p > 0 { // partition 0 stays empty
					f.put(txn, p, 20)
				}
			}
			f.End(txn, kgo.TransactionEndTry(round != 1))
		}
		var targets []Target
		leaders := map[int32]bool{}
		for p := range int32(12) {
			targets = append(targets, f.target(p, 0))
			leaders[f.LeaderFor(topic, p)] = true
		}
		l, err := f.run(Config{PartitionBytes: 200, RequestBytes: 1000}, targets...) // a few records at a time
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(12) {
			want := strings.TrimSpace(strings.Repeat(sequence(p, 20), 2))
			if p == 0 {
				want = ""
			}
			if got := l.keys(p); got != want {
				t.Errorf("partition %d: %q", p, got)
			}
		}
		if len(leaders) < 2 {
			t.Errorf("only %d brokers lead", len(leaders))
		}
	})
}

func sequence(p int32, n int) (s string) {
	for i := range n {
		s += fmt.Sprintf("%d-%d ", p, i)
	}
	return s
}

// A record may be larger than what is asked for, also behind other partitions'.
func TestBigRecords(t *testing.T) {
	bubble(t, 4, func(t *testing.T, f *fixture) {
		cl := f.Client(kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
		var targets []Target
		for p := range int32(4) {
			for i := range 6 {
				r := record(p, fmt.Sprintf("%d-%d", p, i))
				if i%3 == 1 {
					r.Value = bytes.Repeat([]byte("x"), 3<<20)
				}
				f.Produce(cl, r)
			}
			targets = append(targets, f.target(p, 0))
		}
		l, err := f.run(Config{PartitionBytes: 100 << 10, RequestBytes: 150 << 10}, targets...)
		for p := range int32(4) {
			if err != nil || l.keys(p)+" " != sequence(p, 6) {
				t.Errorf("partition %d: %v, %q", p, err, l.keys(p))
			}
		}
	}, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "16777216"}), kfake.Ports(9092))
}

// A partition that has much does not starve the others, whose next batch is
// larger than what is left of an answer.
func TestStarving(t *testing.T) {
	bubble(t, 2, func(t *testing.T, f *fixture) {
		cl := f.Client(kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
		f.put(cl, 0, 50)
		f.Produce(cl, &kgo.Record{Topic: topic, Partition: 1, Value: bytes.Repeat([]byte("x"), 3<<20)})
		busy := 0
		err := NewReader(f.cl, Config{PartitionBytes: 100}).Run(t.Context(), []Target{f.target(0, 0), f.target(1, 0)}, func(b Batch) error {
			if busy++; b.Partition == 1 && busy > 10 {
				t.Errorf("after %d others", busy)
			}
			return nil
		})
		if err != nil || busy < 50 {
			t.Errorf("%v after %d batches", err, busy)
		}
	}, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "16777216"}), kfake.Ports(9092))
}

// One that follows is told of all that is new, and when there is nothing.
func TestFollow(t *testing.T) {
	bubble(t, 2, func(t *testing.T, f *fixture) {
		targets := []Target{f.target(0, 0), f.target(1, 0)}
		targets[0].Until, targets[1].Until = Forever, Forever
		l := newLog(t, targets)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			txn := f.txn("a")
			for i := range 10 {
				time.Sleep(time.Second)
				f.Begin(txn)
				f.Produce(txn, record(0, fmt.Sprint(i)))
				f.End(txn, kgo.TransactionEndTry(i%2 == 0))
			}
			time.Sleep(20 * time.Second)
			cancel(errors.New("enough"))
		}()
		stalls := 0
		err := NewReader(f.cl, Config{Stalled: func(Stall) { stalls++ }}).Run(ctx, targets, l.apply)
		if err == nil || err.Error() != "enough" {
			t.Errorf("got %v", err)
		}
		a, b := l.at[targets[0].TopicPartition], l.at[targets[1].TopicPartition]
		if l.keys(0) != "0 2 4 6 8" || a.next != 20 || a.end != 20 || b.next != 0 || stalls != 0 {
			t.Errorf("got %q up to %d of %d, %d; stalled %d times", l.keys(0), a.next, a.end, b.next, stalls)
		}
		if b.batches < 50 || b.batches > 90 { // 30 s, 500 ms each, less if the other is at the same broker
			t.Errorf("told of nothing new %d times", b.batches)
		}
	})
}

// While an answer is applied one more is fetched, and no more than one.
func TestPipeline(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		f.put(f.cl, 0, 100)
		target := f.target(0, 0)
		fetches := f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1, Partitions: []int32{0}})
		applied := 0
		l := newLog(t, []Target{target})
		err := NewReader(f.cl, Config{PartitionBytes: 200}).Run(t.Context(), []Target{target}, func(b Batch) error {
			applied++
			time.Sleep(10 * time.Second) // longer than anything the network does
			if ahead := fetches.Hits() - applied; ahead != 1 && b.Next < target.Until && fetches.Hits() < 20 {
				t.Errorf("%d fetches for %d batches", fetches.Hits(), applied)
			}
			return l.apply(b)
		})
		if err != nil || applied < 20 || l.keys(0)+" " != sequence(0, 100) {
			t.Errorf("%d batches, %v", applied, err)
		}
	})
}
