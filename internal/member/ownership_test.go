package member

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/leatstream/leat/internal/assign"
)

var (
	task0 = assign.Task{Sub: 0, Partition: 0}
	task1 = assign.Task{Sub: 0, Partition: 1}
)

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// session is what a member goes through in one generation.
func session(o *ownership, id Identity, target tasks) (lost, revoked, added []assign.Task) {
	o.assigned(assignment0(target))
	lost = o.begin(id)
	revoked = o.revoke()
	o.release(revoked)
	added, _ = o.assign()
	return lost, revoked, added
}

func assignment0(ts tasks) target { return target{tasks: ts} }

// Each case is one continuation of a session of member m in generation 5 that owns
// 0_0 and 0_1; 0_0 is assigned again, 0_1 not.
func TestChain(t *testing.T) {
	t.Parallel()
	both := tasks{task0: {"a"}, task1: {"a"}}
	for _, c := range []struct {
		name   string
		joins  []int32 // generations of the client at each Join
		id     Identity
		broken bool
		claims []int // in each Join
	}{
		{"next generation", []int32{5}, Identity{MemberID: "m", Generation: 6}, false, []int{2}},
		{"same generation", []int32{5}, Identity{MemberID: "m", Generation: 5}, false, []int{2}},
		{"Sync failed once", []int32{5, 6}, Identity{MemberID: "m", Generation: 7}, false, []int{2, 2}},
		{"new member", []int32{5}, Identity{MemberID: "n", Generation: 6}, true, []int{2}},
		{"a generation missed", []int32{5}, Identity{MemberID: "m", Generation: 7}, true, []int{2}},
		{"a generation missed, then Sync failed", []int32{5, 7}, Identity{MemberID: "m", Generation: 8}, true, []int{2, 0}},
		{"the group began anew", []int32{5}, Identity{MemberID: "m", Generation: 1}, true, []int{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOwnership()
			session(o, Identity{MemberID: "m", Generation: 5}, both)
			claim0, _ := o.claim(task0)
			for i, generation := range c.joins {
				if got := len(o.joining(generation)); got != c.claims[i] {
					t.Errorf("join %d claims %d tasks, want %d", i, got, c.claims[i])
				}
			}
			lost, revoked, added := session(o, c.id, tasks{task0: {"a"}})
			got := fmt.Sprint(lost, revoked, added)
			want := "[] [0_1] []"
			if c.broken {
				want = "[0_0 0_1] [] [0_0]"
			}
			expect(t, "lost, revoked, assigned", got, want)
			if _, err := o.identity([]Claim{claim0}); c.broken != errors.Is(err, ErrNotOwned) {
				t.Errorf("the old claim: %v", err)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	o := newOwnership()
	_, err := o.identity(nil)
	is(t, err, ErrNoGeneration)
	_, err = o.identity([]Claim{{}})
	is(t, err, ErrNotOwned)

	o.assigned(assignment0(tasks{task0: {"a"}}))
	o.begin(Identity{MemberID: "m", Generation: 1})
	_, err = o.identity([]Claim{{task0, 0}})
	is(t, err, ErrNotOwned)
	o.assign()
	claim, ok := o.claim(task0)
	if !ok || claim.Incarnation == 0 {
		t.Errorf("claim %v %v", claim, ok)
	}
	id, err := o.identity([]Claim{claim})
	if err != nil || id.MemberID != "m" || id.Generation != 1 {
		t.Errorf("%v, %v", id, err)
	}

	if lost := o.lose(); len(lost) != 1 {
		t.Errorf("lost %v", lost)
	}
	_, err = o.identity([]Claim{claim})
	is(t, err, ErrNotOwned)
	_, err = o.identity(nil)
	is(t, err, ErrNoGeneration)
	session(o, Identity{MemberID: "m", Generation: 2}, tasks{task0: {"a"}})
	_, err = o.identity([]Claim{claim})
	is(t, err, ErrNotOwned)
}

func TestOtherInputsAreAnotherIncarnation(t *testing.T) {
	t.Parallel()
	o := newOwnership()
	session(o, Identity{MemberID: "m", Generation: 1}, tasks{task0: {"a"}})
	_, revoked, added := session(o, Identity{MemberID: "m", Generation: 2}, tasks{task0: {"a", "b"}})
	expect(t, "revoked, assigned", fmt.Sprint(revoked, added), "[0_0] [0_0]")
}

func TestLeavingAssignsNothing(t *testing.T) {
	t.Parallel()
	o := newOwnership()
	session(o, Identity{MemberID: "m", Generation: 1}, tasks{task0: {"a"}})
	o.leave()
	_, revoked, added := session(o, Identity{MemberID: "m", Generation: 2}, tasks{task0: {"a"}, task1: {"a"}})
	expect(t, "revoked, assigned", fmt.Sprint(revoked, added), "[0_0] []")
}

func TestAwait(t *testing.T) {
	t.Parallel()
	o := newOwnership()
	ctx, cancel := context.WithCancel(context.Background())
	first := Identity{MemberID: "m", Generation: 1}
	session(o, first, tasks{task0: {"a"}, task1: {"a"}})
	claim0, _ := o.claim(task0)
	claim1, _ := o.claim(task1)

	got := make(chan error, 1)
	wait := func(refused Identity, claims ...Claim) {
		id, err := o.await(ctx, refused, claims)
		if err == nil && id.same(refused) {
			err = errors.New("the refused identity")
		}
		got <- err
	}
	go wait(first, claim0)
	second := Identity{MemberID: "m", Generation: 2}
	o.assigned(assignment0(tasks{task0: {"a"}}))
	o.begin(second)
	is(t, <-got, nil)

	go wait(second, claim0, claim1)
	o.revoke()
	is(t, <-got, ErrNoGeneration)

	go wait(second, claim0)
	o.lose()
	is(t, <-got, ErrNotOwned)

	go wait(second)
	cancel()
	is(t, <-got, context.Canceled)
}
