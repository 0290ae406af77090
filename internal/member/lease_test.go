package member

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
)

// A voice is what the group says to heartbeats.
type voice struct {
	mu    sync.Mutex
	says  error
	heard []Identity
}

func (v *voice) ask(_ context.Context, who Identity) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.heard = append(v.heard, who)
	return v.says
}

func (v *voice) say(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.says = err
}

// proven is a member whose lease is kept by v, in its first generation.
func proven(t *testing.T, v *voice) *Member {
	t.Helper()
	m, err := New(Config{Group: "g", Instance: "i", Workers: 1, Subs: subs(), SessionTimeout: 10 * time.Second, RebalanceTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := m.Prove(ctx, v.ask); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return m
}

// A lease holds for less than a session from the last heartbeat that was answered well, and
// in a rebalance not beyond the time that there is to join.
func TestProve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voice{}
		m := proven(t, v)
		holds := func(what string, want bool) {
			t.Helper()
			if got := m.Lease().Holds(); got != want {
				t.Errorf("%s: holds %v", what, got)
			}
		}
		time.Sleep(time.Minute)
		holds("in no generation", false)
		if len(v.heard) > 0 {
			t.Error("asked as nobody")
		}
		m.own.begin(Identity{MemberID: "m", Generation: 1})
		time.Sleep(time.Millisecond)
		holds("as soon as a session has begun", true)
		time.Sleep(time.Minute)
		holds("all the time", true)
		v.say(context.DeadlineExceeded)
		time.Sleep(8 * time.Second)
		holds("for a while", true)
		time.Sleep(1500 * time.Millisecond)
		holds("without an answer", false)
		v.say(nil)
		time.Sleep(time.Second)
		holds("answered again", true)
		v.say(kerr.RebalanceInProgress)
		time.Sleep(28 * time.Second)
		holds("while others are to join", true)
		time.Sleep(2 * time.Second)
		holds("when it must have joined", false)
		m.own.begin(Identity{MemberID: "m", Generation: 2})
		v.say(nil)
		time.Sleep(time.Second)
		holds("having joined", true)
	})
}

// When tasks are lost the lease ends, and that of what comes next is another.
func TestLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voice{}
		m := proven(t, v)
		m.own.begin(Identity{MemberID: "m", Generation: 1})
		time.Sleep(time.Second)
		first := m.Lease()
		m.own.begin(Identity{MemberID: "m", Generation: 2})
		if m.Lease() != first || context.Cause(first.Context()) != nil {
			t.Error("another lease in the generation that follows")
		}
		m.own.begin(Identity{MemberID: "other", Generation: 5})
		time.Sleep(time.Second)
		is(t, context.Cause(first.Context()), kafka.ErrLease)
		if !m.Lease().Holds() {
			t.Error("the next one does not hold")
		}
		v.say(kerr.UnknownMemberID)
		m.own.lose()
		if m.Lease().Holds() {
			t.Error("holds for what is not owned")
		}
	})
}

// A rebalance may begin before the first heartbeat of a generation. Who gives tasks up in it must be able to write what they
// have done, or nobody gets on: the group waits for him. When the group has thrown him out nothing waits any more.
func TestLeaseInRebalanceFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voice{}
		m := proven(t, v)
		v.say(kerr.RebalanceInProgress)
		m.own.begin(Identity{MemberID: "m", Generation: 1})
		time.Sleep(time.Millisecond)
		first := m.Lease()
		if !first.Holds() {
			t.Error("nothing can be written")
		}
		v.say(kerr.UnknownMemberID)
		time.Sleep(time.Second)
		is(t, context.Cause(first.Context()), kafka.ErrLease)
	})
}
