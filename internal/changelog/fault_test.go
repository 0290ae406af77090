package changelog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/kafka"
)

// An open transaction is waited for, and the wait is told.
func TestOpenTransaction(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*fixture, *kgo.Client)
		want string
	}{
		"timeout": {func(*fixture, *kgo.Client) {}, "before after"},
		"fence": {func(f *fixture, _ *kgo.Client) {
			if err := kafka.Fence(f.t.Context(), f.Client(), []string{"dead"}, time.Minute); err != nil {
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
					f.purge()
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

// purge lets the fixture's client produce to a topic's successor.
func (f *fixture) purge() { f.cl.PurgeTopicsFromClient(topic) }

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
