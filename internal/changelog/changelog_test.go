package changelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
	ends, err := End(f.t.Context(), f.cl, []kafka.TopicPartition{tp})
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
				if !r.Timestamp.Equal(at) {
					t.Errorf("%s has the timestamp %v", r.Key, r.Timestamp)
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

// An open transaction is waited for, and the wait is told.
func TestOpenTransaction(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*fixture, *kgo.Client)
		want string
	}{
		"timeout": {func(*fixture, *kgo.Client) {}, "before after"},
		"fence": {func(f *fixture, _ *kgo.Client) {
			if err := kafka.Fence(f.t.Context(), f.Opts, []string{"dead"}, time.Minute); err != nil {
				f.t.Error(err)
			}
		}, "before after"},
		"commit": {func(f *fixture, cl *kgo.Client) { f.End(cl, kgo.TryCommit) }, "before open after"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, f *fixture) {
				dead := f.Client(kgo.TransactionalID("dead"), kgo.TransactionTimeout(time.Minute))
				f.Produce(f.cl, record(0, "before"))
				f.Begin(dead)
				f.Produce(dead, record(0, "open"))
				f.Produce(f.cl, record(0, "after"))
				start := time.Now()
				ended := make(chan struct{})
				time.AfterFunc(12*time.Second, func() { defer close(ended); c.end(f, dead) })
				var stalls []string
				l, err := f.run(Config{Stalled: func(s Stall) { stalls = append(stalls, s.String()) }}, f.target(0, 0))
				<-ended
				if err != nil || l.keys(0) != c.want {
					t.Errorf("got %q, %v, want %q", l.keys(0), err, c.want)
				}
				took, most := time.Since(start), 13*time.Second
				if name == "timeout" {
					most = 61 * time.Second
				}
				if took < 12*time.Second || took > most {
					t.Errorf("took %v", took)
				}
				if n := int(took / (5*time.Second + 500*time.Millisecond)); len(stalls) < n || len(stalls) > int(took/(5*time.Second)) {
					t.Errorf("told of %d stalls in %v", len(stalls), took)
				}
				want := "changelog " + topic + "[0] is at 1 of 3 since 5s: a transaction that is open since offset 1 has not ended"
				if len(stalls) == 0 || stalls[0] != want {
					t.Errorf("got %q, want %q", stalls, want)
				}
			})
		})
	}
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

// Leaders move while they are read from, with answers on their way.
func TestLeadersMove(t *testing.T) {
	bubble(t, 3, func(t *testing.T, f *fixture) {
		var targets []Target
		for p := range int32(3) {
			f.put(f.cl, p, 200)
			targets = append(targets, f.target(p, 0))
		}
		l := newLog(t, targets)
		f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Count: -1, Observe: true, When: func(req kmsg.Request) bool {
			for _, t := range req.(*kmsg.FetchRequest).Topics {
				if t.Partitions[0].CurrentLeaderEpoch < 0 { // who is no leader any more but does not know it could not tell
					l.t.Error("a fetch without leader epoch")
				}
			}
			return true
		}})
		var mu sync.Mutex
		calls := 0
		err := NewReader(f.cl, Config{PartitionBytes: 500}).Run(t.Context(), targets, func(b Batch) error {
			mu.Lock()
			defer mu.Unlock()
			switch calls++; {
			case calls%7 == 3:
				f.ShufflePartitionLeaders()
			case calls%7 == 5:
				if err := f.MoveTopicPartition(topic, b.Partition, int32(calls%3)); err != nil {
					t.Error(err)
				}
			}
			return l.apply(b)
		})
		for p := range int32(3) {
			if err != nil || l.keys(p)+" " != sequence(p, 200) {
				t.Errorf("partition %d: %v, %q", p, err, l.keys(p))
			}
		}
		if calls < 50 {
			t.Errorf("only %d batches: nothing was on its way when the leaders moved", calls)
		}
	})
}

func TestOutOfRange(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		f.put(f.cl, 0, 10)
		target := f.target(0, 2)
		if err := f.DeleteRecords(topic, 0, 5); err != nil {
			t.Fatal(err)
		}
		_, err := f.run(Config{}, target)
		if e, ok := errors.AsType[*OutOfRangeError](err); !ok || e.Offset != 2 || e.LogStart != 5 || e.Partition != 0 {
			t.Errorf("got %v", err)
		}

		target.From = 11
		_, err = f.run(Config{}, target)
		if e, ok := errors.AsType[*TruncatedError](err); !ok || e.Offset != 11 || e.End != 10 {
			t.Errorf("got %v", err)
		}
		target.Until = Forever
		_, err = f.run(Config{}, target)
		if e, ok := errors.AsType[*TruncatedError](err); !ok || e.Offset != 11 || e.End != 10 {
			t.Errorf("got %v", err)
		}
	})
}

// The log start overtakes a reader.
func TestDeletedWhileRead(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		f.put(f.cl, 0, 50)
		target := f.target(0, 0)
		l := newLog(t, []Target{target})
		err := NewReader(f.cl, Config{PartitionBytes: 100}).Run(t.Context(), []Target{target}, func(b Batch) error {
			if b.Next < 40 {
				if err := f.DeleteRecords(topic, 0, 40); err != nil {
					return err
				}
			}
			return l.apply(b)
		})
		if e, ok := errors.AsType[*OutOfRangeError](err); !ok || e.LogStart != 40 || e.Offset != l.at[target.TopicPartition].next {
			t.Errorf("got %v after %d", err, l.at[target.TopicPartition].next)
		}
	})
}

func TestRecreated(t *testing.T) {
	for name, during := range map[string]bool{"before": false, "during": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, f *fixture) {
				f.put(f.cl, 0, 3)
				target := f.target(0, 0)
				target.Until = Forever
				recreate := func() {
					if err := errors.Join(f.DeleteTopic(topic), f.CreateTopic(topic, 1, nil)); err != nil {
						t.Error(err)
					}
					f.PurgeTopic(topic)
					f.put(f.cl, 0, 20)
				}
				if during {
					time.AfterFunc(3*time.Second, recreate)
				} else {
					recreate()
				}
				l, err := f.run(Config{}, target)
				if e, ok := errors.AsType[*RecreatedError](err); !ok || e.Meant != target.TopicID || e.ID != f.TopicInfo(topic).TopicID {
					t.Errorf("got %v", err)
				}
				if during != (l.keys(0) == "0-0 0-1 0-2") {
					t.Errorf("got %q", l.keys(0))
				}
			})
		})
	}
}

// PurgeTopic lets the fixture's client produce to a topic's successor.
func (f *fixture) PurgeTopic(topic string) { f.cl.PurgeTopicsFromClient(topic) }

func TestDeleted(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		f.put(f.cl, 0, 3)
		target := f.target(0, 0)
		target.Until = Forever
		time.AfterFunc(3*time.Second, func() { _ = f.DeleteTopic(topic) })
		start := time.Now()
		_, err := f.run(Config{}, target)
		if e, ok := errors.AsType[*RecreatedError](err); !ok || e.ID != [16]byte{} {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took < 13*time.Second || took > 16*time.Second {
			t.Errorf("took %v", took)
		}
	})
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

// When Run has returned, apply is over.
func TestCancelled(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		f.put(f.cl, 0, 3)
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, enough)
		defer cancel()
		calls, done := 0, false
		err := NewReader(f.cl, Config{PartitionBytes: 1}).Run(ctx, []Target{f.target(0, 0)}, func(Batch) error {
			calls++
			time.Sleep(10 * time.Second)
			done = true
			return nil
		})
		if !errors.Is(err, enough) || calls != 1 || !done {
			t.Errorf("got %v, %d calls, over: %v", err, calls, done)
		}
	})
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

// Errors that a leader's or a network's change brings are no end.
func TestPassingErrors(t *testing.T) {
	bubble(t, 3, func(t *testing.T, f *fixture) {
		for _, e := range []*kerr.Error{
			kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.ReplicaNotAvailable, kerr.KafkaStorageError,
			kerr.OffsetNotAvailable, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID, kerr.UnknownServerError, kerr.OffsetOutOfRange,
		} {
			f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{1}, Err: e, Count: 2})
		}
		f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, TopLevel: true, Err: kerr.UnknownServerError})
		f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition})
		f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: topic, Partitions: []int32{1}, Err: kerr.LeaderNotAvailable, Count: 3})
		var targets []Target
		for p := range int32(3) {
			f.put(f.cl, p, 50)
			targets = append(targets, f.target(p, 0))
		}
		l, err := f.run(Config{}, targets...)
		for p := range int32(3) {
			if err != nil || l.keys(p)+" " != sequence(p, 50) {
				t.Errorf("partition %d: %v, %q", p, err, l.keys(p))
			}
		}
	})
}

func TestRefused(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		f.put(f.cl, 0, 1)
		target := f.target(0, 0)
		f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed})
		_, err := f.run(Config{}, target)
		if e, ok := errors.AsType[*PartitionError](err); !ok || e.Topic != topic || !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("got %v", err)
		}
		if _, err := f.run(Config{}, target, target); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("got %v", err)
		}
		boom := errors.New("boom")
		for _, from := range []int64{0, 1} { // also when there is nothing to read
			target.From = from
			if err := NewReader(f.cl, Config{}).Run(t.Context(), []Target{target}, func(Batch) error { return boom }); !errors.Is(err, boom) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// A damaged batch is never taken for an empty one.
func TestCorrupt(t *testing.T) {
	bubble(t, 1, func(t *testing.T, f *fixture) {
		f.put(f.cl, 0, 3)
		target := f.target(0, 0)
		f.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			resp := kmsg.NewPtrFetchResponse()
			resp.Version = 13
			p := kmsg.NewFetchResponseTopicPartition()
			p.HighWatermark, p.LastStableOffset, p.RecordBatches = 3, 3, rawBatch(batchOpts{n: 3})
			p.RecordBatches[70] ^= 1
			resp.Topics = []kmsg.FetchResponseTopic{{TopicID: target.TopicID, Partitions: []kmsg.FetchResponseTopicPartition{p}}}
			return resp, nil, true
		})
		_, err := f.run(Config{}, target)
		if e, ok := errors.AsType[*PartitionError](err); !ok || e.Offset != 0 || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("got %v", err)
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

// Runs that are cut short anywhere and go on from their positions read the same
// as one run, while leaders move and brokers fail.
func TestResume(t *testing.T) {
	bubble(t, 4, func(t *testing.T, f *fixture) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		want := make([]string, 4)
		txn := f.txn("a")
		for i := range 200 {
			p, keep := rng.Int32N(4), rng.IntN(3) > 0
			f.Begin(txn)
			f.Produce(txn, record(p, fmt.Sprint(i)))
			if f.End(txn, kgo.TransactionEndTry(keep)); keep {
				want[p] += fmt.Sprint(i, " ")
			}
		}
		var targets []Target
		for p := range int32(4) {
			targets = append(targets, f.target(p, 0))
		}
		l := newLog(t, targets)
		r := NewReader(f.cl, Config{PartitionBytes: 300})
		for cuts := 0; ; cuts++ {
			ctx, cancel := context.WithCancel(t.Context())
			calls, at := 0, rng.IntN(30)
			f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch, kmsg.Metadata}, Err: kerr.NotLeaderForPartition, Count: rng.IntN(3) + 1})
			err := r.Run(ctx, targets, func(b Batch) error {
				l.mu.Lock()
				if calls++; calls == at {
					cancel()
				}
				l.mu.Unlock()
				return l.apply(b)
			})
			cancel()
			if err == nil {
				t.Logf("cut %d times", cuts)
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			for i := range targets {
				targets[i].From = l.at[targets[i].TopicPartition].next
			}
			f.ShufflePartitionLeaders()
		}
		for p := range int32(4) {
			if got := l.keys(p); got != strings.TrimSpace(want[p]) {
				t.Errorf("partition %d: got %q, want %q", p, got, want[p])
			}
		}
	})
}
