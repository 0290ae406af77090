package member

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
)

const everything = "[0_0 0_1 0_2 0_3 0_4 0_5 1_0 1_1 1_2 1_3]"

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\ngot  %s\nwant %s", what, got, want)
	}
}

func TestOneMemberHasAllTasks(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a := c.start("a")
		time.Sleep(settled)
		expect(t, "a", a.take(), "assigned "+everything)
		expect(t, "a owns", a.owns(), everything)
		if got := a.Inputs(task0); len(got) != 2 || got[0] != "a" || got[1] != "b" {
			t.Errorf("inputs of 0_0: %v", got)
		}
		a.Close()
		expect(t, "a", a.take(), "revoked "+everything)
		expect(t, "a owns", a.owns(), "[]")
		for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.ListOffsets, kmsg.OffsetFetch, kmsg.OffsetCommit} {
			if n := c.requests(key); n != 0 {
				t.Errorf("the member's client sent %d requests of %s", n, key.Name())
			}
		}
	})
}

func TestSecondMemberTakesItsShare(t *testing.T) {
	inCluster(t, func(c *cluster) {
		var rebalances atomic.Int32
		a := c.start("a", func(_ *process, cfg *Config) { cfg.Rebalancing = func() { rebalances.Add(1) } })
		time.Sleep(settled)
		if n := rebalances.Load(); n != 0 {
			t.Errorf("a has been told of %d rebalances", n)
		}
		b := c.start("b")
		time.Sleep(settled)
		expect(t, "a", a.take(), "assigned "+everything+"; revoked [0_3 0_4 0_5 1_2 1_3]")
		expect(t, "b", b.take(), "assigned [0_3 0_4 0_5 1_2 1_3]")
		expect(t, "a owns", a.owns(), "[0_0 0_1 0_2 1_0 1_1]")
		if rebalances.Load() == 0 {
			t.Error("a has not been told that a rebalance began")
		}
		a.Close() // without Leave
		time.Sleep(sessionTimeout / 2)
		expect(t, "b", b.take(), "")
		time.Sleep(settled)
		expect(t, "b", b.take(), "assigned [0_0 0_1 0_2 1_0 1_1] departed [{a 2}]")
	})
}

// While a task moves nobody waits for a heartbeat, with which the group's news come else:
// neither who takes it nor who has nothing to do with it.
func TestNobodyWaitsForHeartbeats(t *testing.T) {
	inCluster(t, func(c *cluster) {
		gone, back := map[assign.Task]time.Time{}, map[assign.Task]time.Time{}
		var mu sync.Mutex
		note := func(at map[assign.Task]time.Time) func([]assign.Task) {
			return func(tasks []assign.Task) {
				mu.Lock()
				defer mu.Unlock()
				for _, t := range tasks {
					at[t] = time.Now()
				}
			}
		}
		watched := func(p *process, _ *Config) { p.onGone, p.onAssigned = note(gone), note(back) }
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			c.start(name, watched)
			time.Sleep(settled)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(gone) < 5 {
			t.Fatalf("only %v have moved", gone)
		}
		for task, at := range gone {
			if stood := back[task].Sub(at); stood < 0 || stood > time.Second/10 {
				t.Errorf("%v stood still for %v; a heartbeat comes every 3 s", task, stood)
			}
		}
	})
}

func TestLeave(t *testing.T) {
	for _, b := range []string{"b", "b!"} {
		t.Run(b, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				a, b := c.start("a"), c.start(b)
				time.Sleep(settled)
				began := time.Now()
				if err := b.Leave(context.Background()); err != nil {
					t.Fatal(err)
				}
				expect(t, "b owns", b.owns(), "[]")
				for a.owns() != everything && time.Since(began) < settled {
					time.Sleep(100 * time.Millisecond)
				}
				if d := time.Since(began); d > sessionTimeout/2 {
					t.Errorf("a had everything after %v", d)
				}
			})
		})
	}
}

// A rebalance waits for a member that is dead, and one that leaves waits for the
// rebalance, but not for ever.
func TestLeaveGivesUp(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a, b := c.start("a"), c.start("b")
		time.Sleep(settled)
		a.vanish()
		d := c.start("d")
		time.Sleep(sessionTimeout / 2)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		is(t, b.Leave(ctx), context.DeadlineExceeded)
		began := time.Now()
		b.Close()
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("Close took %v", d)
		}
		expect(t, "b owns", b.owns(), "[]")
		a.Close()
		time.Sleep(settled)
		expect(t, "d owns", d.owns(), everything)
	})
}

func TestStaticMemberComesBack(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a := c.start("a!")
		time.Sleep(settled)
		b := c.start("b!")
		time.Sleep(settled)
		a.take()
		expect(t, "b", b.take(), "assigned [0_3 0_4 0_5 1_2 1_3]")
		b.kill()
		time.Sleep(sessionTimeout / 2)
		b = c.start("b!")
		time.Sleep(settled)
		expect(t, "b", b.take(), "assigned [0_3 0_4 0_5 1_2 1_3]")
		expect(t, "a", a.take(), "")
		a.kill() // the leader
		time.Sleep(sessionTimeout / 2)
		a = c.start("a!")
		time.Sleep(settled)
		expect(t, "a", a.take(), "assigned [0_0 0_1 0_2 1_0 1_1]")
		expect(t, "b", b.take(), "")
	})
}

func TestSessionTimesOut(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a := c.start("a")
		time.Sleep(settled)
		b := c.start("b")
		time.Sleep(settled)
		before := a.owns()
		old, ok := a.Claim(task0)
		if !ok {
			t.Fatalf("a owns %s", before)
		}
		a.take()
		b.take()
		a.vanish()
		time.Sleep(settled)
		expect(t, "a", a.take(), "lost "+before)
		expect(t, "b", b.take(), "assigned "+before+" departed [{a 2}]")
		_, err := a.Identity(old)
		is(t, err, ErrNotOwned)
		_, err = a.Identity()
		is(t, err, ErrNoGeneration)
		a.line.mend()
		time.Sleep(settled)
		expect(t, "a is back", a.owns(), "[0_3 0_4 0_5 1_2 1_3]")
	})
}

// The coordinator is away for longer than a session, and the brokers know that it was not the member's fault: nothing is
// lost, and nothing moves.
func TestCoordinatorAway(t *testing.T) {
	inClusterAt(t, func(c *cluster) {
		c.kafka.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.kafka.KeepControl()
			req.(*kmsg.JoinGroupRequest).SessionTimeoutMillis *= 10 // whoever takes over begins sessions anew
			return nil, nil, false
		})
		a := c.start("a", func(_ *process, cfg *Config) {
			cfg.Options = append(cfg.Options, kgo.AlwaysRetryEOF(), kgo.RequestRetries(1000))
		})
		time.Sleep(settled)
		before := a.owns()
		a.take()
		a.line.desert(fmt.Sprintf("localhost:%d", 9092+c.kafka.CoordinatorFor("g")))
		time.Sleep(2 * sessionTimeout)
		a.line.desert("")
		time.Sleep(settled)
		expect(t, "a", a.take(), "")
		expect(t, "a owns", a.owns(), before)
	}, 9092, 9093, 9094)
}

// A member that waits in a rebalance for one that is slow to commit loses nothing if its connection breaks, however long
// it has waited.
func TestConnectionBreaksInRebalance(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.kafka.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.kafka.KeepControl()
			req.(*kmsg.JoinGroupRequest).SessionTimeoutMillis *= 10 // a real broker expires nobody who waits for an answer
			return nil, nil, false
		})
		a := c.start("a")
		time.Sleep(settled)
		slow := make(chan struct{})
		b := c.start("b", func(p *process, _ *Config) { p.onGone = func([]assign.Task) { <-slow } })
		time.Sleep(settled)
		a.take()
		d := c.start("d")
		time.Sleep(sessionTimeout + 5*time.Second)
		a.line.cut()
		a.line.mend()
		time.Sleep(time.Second)
		close(slow)
		time.Sleep(settled)
		if events := a.take(); strings.Contains(events, "lost") {
			t.Errorf("a: %s; b: %s; d: %s", events, b.take(), d.take())
		}
	})
}

// The coordinator dies while a member waits in a rebalance, and something goes on to accept connections for it. The
// member finds out that it is dead, and who has taken over, without losing anything.
func TestCoordinatorDiesInRebalance(t *testing.T) {
	inClusterAt(t, func(c *cluster) {
		c.kafka.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.kafka.KeepControl()
			req.(*kmsg.JoinGroupRequest).SessionTimeoutMillis *= 10 // a real broker expires nobody who waits for an answer
			return nil, nil, false
		})
		ours := func(_ *process, cfg *Config) {
			cfg.Options = append(cfg.Options, kgo.AlwaysRetryEOF(), kgo.MetadataMaxAge(5*time.Minute))
		}
		a := c.start("a", ours)
		time.Sleep(settled)
		slow := make(chan struct{})
		c.start("b", func(p *process, _ *Config) { p.onGone = func([]assign.Task) { <-slow } })
		time.Sleep(settled)
		a.take()
		d := c.start("d")
		time.Sleep(5 * time.Second)
		old := c.kafka.CoordinatorFor("g")
		for c.kafka.CoordinatorFor("g") == old {
			c.kafka.RehashCoordinators()
		}
		a.line.desert(fmt.Sprintf("localhost:%d", 9092+old))
		if err := c.kafka.RemoveNode(old); err != nil {
			t.Fatal(err)
		}
		close(slow)
		time.Sleep(20 * time.Second)
		if events := a.take(); strings.Contains(events, "lost") || d.owns() == "[]" {
			t.Errorf("a: %s; d owns %s", events, d.owns())
		}
	}, 9092, 9093, 9094)
}

// A revoked task can be committed until Revoked returns, as the member that the
// broker knows now; the identity from before the rebalance is refused.
func TestCommitWhileRevoked(t *testing.T) {
	inCluster(t, func(c *cluster) {
		cl := c.client()
		defer cl.Close()
		ctx := context.Background()
		gone := make(chan func(), 1)
		a := c.start("a", func(p *process, _ *Config) {
			p.onGone = func([]assign.Task) {
				select {
				case f := <-gone:
					f()
				default:
				}
			}
		})
		time.Sleep(settled)
		stays, _ := a.Claim(task0)
		goes, _ := a.Claim(assign.Task{Sub: 0, Partition: 5})
		before, err := a.Identity(stays, goes)
		is(t, err, nil)
		is(t, c.commit(cl, before, 5, 1), nil)

		gone <- func() {
			is(t, c.commit(cl, before, 5, 2), kerr.IllegalGeneration)
			now, err := a.Await(ctx, before, stays, goes)
			is(t, err, nil)
			is(t, c.commit(cl, now, 5, 2), nil)
			if id, err := a.Identity(goes); err != nil || id != now || now.Generation != before.Generation+1 {
				t.Errorf("identity %v after %v, %v", id, before, err)
			}
			_, err = a.Await(ctx, now, stays, goes) // what if it had been refused?
			is(t, err, ErrNoGeneration)
		}
		b := c.start("b")
		time.Sleep(settled)
		_, err = a.Identity(stays)
		is(t, err, nil)
		_, err = a.Identity(stays, goes)
		is(t, err, ErrNotOwned)
		_, err = a.Await(ctx, before, goes)
		is(t, err, ErrNotOwned)
		b.Close()
		time.Sleep(settled)
		if back, ok := a.Claim(goes.Task); !ok || back == goes {
			t.Errorf("came back as %v, was %v", back, goes)
		}
	})
}

// A member rejoins too late, and kgo joins again as a new member without a word. The
// answer to its Sync takes long, so that kgo knows the new generation all the while.
func TestRejoinTooLate(t *testing.T) {
	inCluster(t, func(c *cluster) {
		release := make(chan struct{})
		var once sync.Once
		a := c.start("a", func(p *process, _ *Config) {
			p.onAssigned = func([]assign.Task) { once.Do(func() { p.forget(); <-release }) }
		})
		time.Sleep(settled)
		cl := c.client()
		defer cl.Close()
		old, _ := a.Claim(task0)
		b := c.start("b")
		for b.owns() != everything {
			time.Sleep(10 * time.Millisecond)
		}
		c.kafka.ControlKey(int16(kmsg.SyncGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			if sync := req.(*kmsg.SyncGroupRequest); len(sync.GroupAssignment) == 0 {
				c.kafka.SleepControl(func() { time.Sleep(3 * time.Second) })
			}
			return nil, nil, false
		})
		close(release)
		for began := time.Now(); time.Since(began) < settled; time.Sleep(100 * time.Millisecond) {
			if id, err := a.Identity(old); err == nil && c.commit(cl, id, 0, 1) == nil {
				t.Fatalf("committed as %v, after %s has had the task", id, b.name)
			}
		}
		expect(t, "a", a.take(), "assigned "+everything+"; lost "+everything+"; assigned [0_3 0_4 0_5 1_2 1_3]")
		_, err := a.Identity(old)
		is(t, err, ErrNotOwned)
	})
}

func TestNewPartitions(t *testing.T) {
	inCluster(t, func(c *cluster) {
		adm := c.client()
		defer adm.Close()
		grow := func(topic string, n int32) {
			req := kmsg.NewPtrCreatePartitionsRequest()
			rt := kmsg.NewCreatePartitionsRequestTopic()
			rt.Topic, rt.Count = topic, n
			req.Topics = append(req.Topics, rt)
			if _, err := req.RequestWith(context.Background(), adm); err != nil {
				t.Fatal(err)
			}
			time.Sleep(settled)
		}
		task6 := assign.Task{Sub: 0, Partition: 6}
		a := c.start("a")
		time.Sleep(settled)
		a.take()
		grow("a", 7)
		expect(t, "a", a.take(), "assigned [0_6]")
		expect(t, "inputs", strings.Join(a.Inputs(task6), " "), "a")
		grow("b", 7)
		expect(t, "a", a.take(), "revoked [0_6]; assigned [0_6]")
		expect(t, "inputs", strings.Join(a.Inputs(task6), " "), "a b")
	})
}

func TestTopicComesLate(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a := c.start("a", func(_ *process, cfg *Config) {
			cfg.Subs = []Sub{{ID: 0, Topics: []string{"a", "b", "late"}}, {ID: 1, Topics: []string{"c"}}}
		})
		time.Sleep(settled)
		expect(t, "a owns", a.owns(), "[]")
		if err := c.kafka.CreateTopic("late", 6, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settled)
		expect(t, "a owns", a.owns(), everything)
	})
}

func TestOtherTopology(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a := c.start("a")
		time.Sleep(settled)
		b := c.start("b", fingerprint("v2"))
		time.Sleep(settled)
		expect(t, "a owns", a.owns(), everything)
		expect(t, "b owns", b.owns(), "[]")
		if !b.failure(ErrTopology) || a.failure(ErrTopology) {
			t.Error("b is to say that the group runs another topology, and only b")
		}
		a.Close()
		time.Sleep(settled)
		expect(t, "b owns", b.owns(), everything)
	})
}

// A static member restarts with another topology, before the group has noticed that
// it was gone.
func TestTopologyChanges(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a := c.start("a!")
		time.Sleep(settled)
		a.kill()
		a = c.start("a!", fingerprint("v2"))
		time.Sleep(settled)
		expect(t, "a owns", a.owns(), everything)
	})
}

func TestFailures(t *testing.T) {
	inCluster(t, func(c *cluster) {
		first := c.start("a!")
		time.Sleep(settled)
		first.forget()
		second := c.start("a!")
		time.Sleep(settled)
		expect(t, "first", first.take(), "assigned "+everything+"; lost "+everything)
		if !first.failure(kerr.FencedInstanceID) || second.failure(kerr.FencedInstanceID) {
			t.Error("the first of two processes of one instance is to fail, and only the first")
		}
		first.Close()
		expect(t, "second owns", second.owns(), everything)
		second.Close()

		for _, f := range []kfake.Fault{
			{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.GroupAuthorizationFailed, Count: -1},
			{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a", Err: kerr.TopicAuthorizationFailed, Count: -1},
		} {
			h := c.kafka.Fault(f)
			p := c.start("p")
			time.Sleep(settled)
			if !p.failure(f.Err) {
				t.Errorf("no word of %v: %v", f.Err, p.failed)
			}
			p.Close()
			h.Remove()
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Subs: []Sub{{ID: 1, Topics: []string{"x"}}, {ID: 1, Topics: []string{"x"}}, {ID: 2}}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"no group", "no instance id", "0 workers", "two sub-topologies 1", `topic "x" is read by sub-topology 1 and by 1`, "sub-topology 2 reads no topic"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}
