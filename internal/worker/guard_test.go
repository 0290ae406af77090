package worker

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
)

// The tests of this file guard the rules of exactly-once; testdata/mutants at the
// root of the module breaks them.

func TestCommit(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.add(0, 0, counter())
		r.feed(0, "a", "b")
		r.feed(0, "a")
		r.expect(out, "a=1 b=1 a=2", "0:3")
		r.expect(changelog, "a=1 b=1 a=2", "0:3")
		if err := r.end(); err != nil {
			t.Error(err)
		}
		ns := engine.Namespace{Store: "counts"}
		p, ok, err := r.eng.Position(ns)
		if err != nil || !ok || p.Offset != 4 { // two records and a marker, then the last one
			t.Errorf("the engine is at %v, %v, %v", p, ok, err)
		}
		if v, ok, err := r.eng.Get(ns, []byte("a"), nil); err != nil || !ok || string(v[8:]) != "2" {
			t.Errorf("the engine holds %q, %v, %v", v, ok, err)
		}
	})
}

// A task that was lost meanwhile takes the whole transaction with it: what was
// done for the others is done again.
func TestLostTaskCommitsNothing(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		a, b := r.add(0, 0, counter()), r.add(1, 0, counter())
		r.owner.mu.Lock()
		r.owner.lost[b.Claim.Task] = true
		r.owner.mu.Unlock()
		r.put(0, slow) // so that both are in one transaction
		r.feed(1, "b")
		r.expect(out, "", "")
		if got := r.reopened(); got != 2 {
			t.Errorf("%d runs are to be opened again", got)
		}
		if n := r.count(a, slow) + r.count(b, "b"); n != 0 {
			t.Errorf("state counts %d records that were not committed", n)
		}
		if len(r.owner.claimed) != 2 {
			t.Errorf("asked about %v", r.owner.claimed)
		}
	})
}

// The broker refuses the commit of an earlier generation, be it of records, of
// offsets alone or of what a timer wrote without any input.
func TestZombieCommitsNothing(t *testing.T) {
	for name, sub := range map[string]*task.Sub{"records": counter(), "offsets": swallower(), "timer": ticker()} {
		t.Run(name, func(t *testing.T) {
			inRig(t, func(t *testing.T, r *rig) {
				r.add(0, 0, sub)
				want := ""
				if name == "timer" { // it has committed the input before it becomes a zombie
					r.feed(0, "a")
					want = "0:1"
				}
				r.owner.mu.Lock()
				r.owner.id.Generation--
				r.owner.mu.Unlock()
				if name == "timer" {
					time.Sleep(3 * time.Minute)
				} else {
					r.feed(0, "a")
				}
				r.expect(out, "", want)
				if got := r.reopened(); got != 1 {
					t.Errorf("%d runs are to be opened again", got)
				}
			})
		})
	}
}

// The same timer, of a member in good standing.
func TestTimerCommits(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.add(0, 0, ticker())
		r.feed(0, "a")
		time.Sleep(3 * time.Minute)
		r.expect(out, "tick=1", "0:1")
	})
}

// A rebalance that takes nothing away only makes the commit wait: it is repeated
// in the same transaction.
func TestCommitIsRepeatedInNextGeneration(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.add(0, 0, counter())
		next := r.owner.id
		r.owner.mu.Lock()
		r.owner.id.Generation--
		r.owner.next = &next
		r.owner.mu.Unlock()
		r.feed(0, "a")
		r.expect(out, "a=1", "0:1")
		if r.reopened() > 0 || r.requests(kmsg.EndTxn) != 1 {
			t.Errorf("%d runs are to be opened again after %d ends of transactions", r.reopened(), r.requests(kmsg.EndTxn))
		}
	})
}

// An end of a transaction that was refused, for the broker, and unknown, for us:
// nothing of it stays, and its producer is not used again.
func TestUnknownEnd(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		run := r.add(0, 0, counter())
		r.feed(0, "a")
		r.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError})
		inits := r.requests(kmsg.InitProducerID)
		r.feed(0, "a", "b")
		r.expect(out, "a=1", "0:1")
		if r.reopened() != 1 || r.count(run, "a") != 1 || r.count(run, "b") != 0 {
			t.Errorf("%d runs are to be opened again; state counts %d and %d", r.reopened(), r.count(run, "a"), r.count(run, "b"))
		}
		if got := r.requests(kmsg.InitProducerID) - inits; got != 1 {
			t.Errorf("the transactional id was initialised %d times", got)
		}
		r.add(1, 0, counter())
		r.feed(1, "c")
		r.expect(out, "a=1 c=1", "0:1 1:1")
	})
}

// A producer whose transactional id somebody has initialised is dead, and the
// worker goes on with a new one.
func TestFencedProducerIsReplaced(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		if err := kafka.Fence(t.Context(), r.Client(), []string{r.cfg.TransactionalID}, time.Minute); err != nil {
			t.Fatal(err)
		}
		r.add(0, 0, counter())
		r.feed(0, "a")
		r.expect(out, "", "")
		r.add(0, 0, counter())
		time.Sleep(patience)
		r.expect(out, "a=1", "0:1")
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// A transaction that takes too long is aborted by the broker, and done again.
func TestTransactionTimesOut(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.add(0, 0, counter())
		r.add(1, 0, counter())
		r.put(0, slow) // meanwhile the other one's records come
		r.feed(1, endless)
		r.expect(changelog, "", "")
		if r.reopened() != 2 {
			t.Errorf("%d runs are to be opened again", r.reopened())
		}
		r.add(0, 0, counter())
		time.Sleep(patience)
		r.expect(changelog, "slow=1", "0:1")
	})
}

// The client ends a transaction of which a record was refused, and finds nothing
// wrong with it.
func TestRefusedRecordCommitsNothing(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.add(0, 0, counter())
		r.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: out, Err: kerr.MessageTooLarge})
		r.feed(0, "a")
		if err := r.end(); !errors.Is(err, kerr.MessageTooLarge) {
			t.Errorf("the worker ends with %v", err)
		}
		time.Sleep(patience) // until the transaction has timed out
		r.expect(changelog, "", "")
	})
}

// The client sends what has waited for a topic's metadata before it lists the topic, and
// finds nothing to commit until it does. The worker waits for it, and does not believe
// in a client that never comes round.
func TestClientSeesWhatItCommits(t *testing.T) {
	for _, c := range []struct {
		name     string
		blind    time.Duration
		reopened int
	}{{"late", time.Second, 0}, {"never", time.Hour, 1}} {
		t.Run(c.name, func(t *testing.T) {
			inRig(t, func(t *testing.T, r *rig) {
				r.rerun(func(n int, cl *kgo.Client) Client {
					if n > 1 {
						return cl
					}
					return &blind{cl, time.Now().Add(c.blind)}
				})
				r.add(0, 0, counter())
				r.feed(0, "a")
				if r.reopened() != c.reopened {
					t.Errorf("%d runs are to be opened again", r.reopened())
				}
				if c.reopened > 0 {
					r.add(0, 0, counter())
					time.Sleep(patience)
				}
				r.expect(out, "a=1", "0:1")
			})
		})
	}
}

// A blind client does not see its topics for a while, and so has nothing to commit.
type blind struct {
	*kgo.Client
	until time.Time
}

func (c *blind) PartitionLeader(topic string, partition int32) (leader, epoch int32, err error) {
	if time.Now().Before(c.until) {
		return -1, -1, nil
	}
	return c.Client.PartitionLeader(topic, partition)
}

func (c *blind) EndTransaction(ctx context.Context, end kgo.TransactionEndTry) error {
	return c.Client.EndTransaction(ctx, end && kgo.TransactionEndTry(!time.Now().Before(c.until)))
}

// A client that cannot begin a transaction is replaced, like one that cannot end one.
func TestTransactionDoesNotBegin(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.rerun(func(n int, cl *kgo.Client) Client {
			if n > 1 {
				return cl
			}
			return idle{cl}
		})
		r.add(0, 0, counter())
		r.feed(0, "a")
		if r.reopened() != 1 {
			t.Errorf("%d runs are to be opened again", r.reopened())
		}
		r.add(0, 0, counter())
		time.Sleep(patience)
		r.expect(out, "a=1", "0:1")
	})
}

// An idle client begins nothing.
type idle struct{ *kgo.Client }

func (idle) BeginTransaction() error { return kerr.ProducerFenced }

// A transaction of offsets alone would not be ended by the client, and so block
// whoever wants to know the offsets.
func TestOffsetsAloneAreNoTransaction(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.add(0, 0, swallower())
		r.put(0, "a", "b")
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		tp := kafka.TopicPartition{Topic: in}
		got, err := r.group.FetchStable(ctx, r.cl, []kafka.TopicPartition{tp})
		if err != nil || got[tp].Offset != 2 {
			t.Errorf("the offset is %d, %v", got[tp].Offset, err)
		}
	})
}

// Release, in the middle of a transaction, returns when that is over and the engine
// has the state.
func TestReleaseCommits(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		run := r.add(0, 0, counter())
		r.put(0, append([]string{brief}, slices.Repeat([]string{"a"}, 2*quantum)...)...)
		time.Sleep(time.Millisecond) // it is at the first one
		if err := r.w.Release(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if got := r.GroupInfo("app").Commits[in][0].Offset; got != quantum {
			t.Errorf("released at offset %d", got)
		}
		if v, ok, err := r.eng.Get(engine.Namespace{Store: "counts"}, []byte("a"), nil); err != nil || !ok || string(v[8:]) != strconv.Itoa(quantum-1) {
			t.Errorf("the engine holds %q, %v, %v", v, ok, err)
		}
	})
}

// What was fetched for a run that has been taken away is not for the next run of
// the same task, which may begin elsewhere.
func TestBatchOfRemovedFeedIsDropped(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		old := r.add(0, 0, counter())
		r.feed(0, "a")
		if err := r.w.Release(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		run := r.hold(0, 1, counter())
		r.feed(0, "a", "b") // comes with the old feed
		r.expect(out, "a=1", "0:1")
		if err := r.f.Add(t.Context(), run.Feeds); err != nil {
			t.Fatal(err)
		}
		time.Sleep(patience)
		r.expect(out, "a=1 a=2 b=1", "0:3")
	})
}

// The age of local state counts from when it was last known to be current, which an
// idle task learns from the group, and one that was lost does not.
func TestRenew(t *testing.T) {
	for name, owned := range map[string]bool{"owned": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			inRig(t, func(t *testing.T, r *rig) {
				run := r.add(0, 0, counter())
				r.feed(0, "a")
				r.owner.mu.Lock()
				r.owner.lost[run.Claim.Task] = !owned
				r.owner.mu.Unlock()
				time.Sleep(renewInterval)
				if err := r.w.Release(t.Context(), run); err != nil {
					t.Error(err)
				}
				p, ok, err := r.eng.Position(engine.Namespace{Store: "counts"})
				age := time.Since(time.UnixMilli(p.Time))
				if young := age < renewInterval/2; young != owned || !ok || err != nil {
					t.Errorf("last known current %v ago, %v, %v", age, ok, err)
				}
			})
		})
	}
}

// Nothing and something of no bytes are not the same, on the way in and out.
func TestNull(t *testing.T) {
	t.Parallel()
	for _, want := range [][]byte{nil, {}, []byte("v")} {
		m := message(&kgo.Record{Key: want, Value: want, Headers: []kgo.RecordHeader{{Key: "h", Value: want}}})
		var back kgo.Record
		fill(&back, &task.Output{Key: m.Key, Value: m.Value, Headers: m.Headers})
		for _, got := range [][]byte{m.Key, m.Value, m.Headers[0].Value, back.Key, back.Value, back.Headers[0].Value} {
			if !slices.Equal(got, want) || (got == nil) != (want == nil) {
				t.Errorf("%#v became %#v", want, got)
			}
		}
	}
}

// A worker that has ended refuses a run: it would be taken for one that works.
func TestAddComesTooLate(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		run := r.hold(0, 0, counter())
		if err := r.end(); err != nil {
			t.Error(err)
		}
		if err := r.w.Add(t.Context(), run); !errors.Is(err, ErrEnded) {
			t.Errorf("the worker has ended, and takes a run: %v", err)
		}
		if err := r.w.Release(t.Context(), run); err != nil {
			t.Errorf("what it does not have cannot be released: %v", err)
		}
	})
}
