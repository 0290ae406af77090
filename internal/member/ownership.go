package member

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/kafka"
)

// An Incarnation numbers an unbroken ownership of a task. No number is given twice
// in a process's life, and none is zero: a task that is assigned, and that was
// revoked or lost before, comes back with another one.
type Incarnation uint64

// A Claim says that a task was owned, and in which incarnation.
type Claim struct {
	Task        assign.Task
	Incarnation Incarnation
}

// An Identity is as whom the group knows a member in one generation. All of it
// goes into an offset commit, always: a broker checks nothing for an empty member
// id and generation -1.
type Identity struct {
	MemberID   string
	Generation int32
	InstanceID *string // of a static member
}

// ErrNotOwned is wrapped by the error of a claim to a task that is not owned, or
// has not been without a break. What was done for it must be aborted.
var ErrNotOwned = errors.New("not owned without a break")

// ErrNoGeneration is wrapped by the error of a member that is not in a generation
// of its group, or will be in no later one before its answer is needed.
var ErrNoGeneration = errors.New("in no generation of the group")

// ownership is what a member owns, and as whom. It turns what kgo shows of the
// group's life into the three transitions of a task:
//
//	           assign
//	not owned ---------> owned ---------> revoking
//	    ^  ^    lose       |    revoke       |
//	    |  +---------------+                 |
//	    +------------------------------------+  handler returned, or lose
//
// The broker checks the member id and the generation of a commit, never ownership.
// So two things must hold whenever identity answers: the broker takes the identity
// only if the group has not moved on without us, and the claimed tasks have been
// ours in every generation since they were assigned.
//
// A rebalance that leaves task T and takes task U is this sequence of events:
//
//  1. Join is sent. It claims T and U as owned in generation N. Commits go on in N.
//  2. Join is answered: this is N+1. Commits in N are refused from now on; await
//     waits. The client's own identity is N+1 already, ours is not, since we cannot
//     know yet whether the chain has held.
//  3. Sync is answered: the target is T alone. The session begins: under the lock,
//     the identity becomes N+1 and U is marked. Whoever waits commits in N+1.
//  4. Revoked is called for U, outside the lock. U is still ours and can be
//     committed: the leader has given it to nobody in N+1, because we hold it.
//  5. Revoked has returned. Under the lock, U is owned no more.
//  6. Join is sent, claiming T; N+2 gives U to another.
//
// If tasks are lost, others may have them already. So it goes the other way round:
// under the lock they are owned no more, then Lost is called.
//
// A chain of generations breaks without kgo saying so. A member that rejoins too
// late is removed; its Join is answered with UNKNOWN_MEMBER_ID; kgo joins again as
// a new member and calls nothing. If its old tasks happen to be assigned to it
// again, kgo sees no difference, though another member may have had them in
// between. A static member is not even removed: its tasks are given away in
// generation N+1, it comes back in N+2 under the same member id, and kgo revokes
// what is gone, as if it could still be committed. Hence begin and joining: a
// session that begins under another member id, or with a generation that does not
// follow, loses all tasks first.
type ownership struct {
	mu      sync.Mutex // held over no call out of this type
	changed chan struct{}
	id      Identity // of the session; the member id is empty between lose and begin
	seen    int32    // the newest generation that the member is known to have been in
	broken  bool     // a generation went by without the member
	owned   map[assign.Task]*holding
	target  target
	last    Incarnation
	leaving bool
	lease   *kafka.Lease // until tasks are lost; then another begins
}

type holding struct {
	incarnation Incarnation
	inputs      []string
	revoking    bool
}

// A target is the assignment that ownership is to follow.
type target struct {
	tasks    tasks
	departed []Fence
	again    bool          // it is not all: the member is to join again
	standby  []assign.Task // to be followed
	warming  []assign.Task // of standby: to be run once caught up with
}

func newOwnership() *ownership {
	return &ownership{changed: make(chan struct{}), owned: map[assign.Task]*holding{}, lease: kafka.NewLease()}
}

// joining notes the generation of the last answer to a Join, before the next one,
// and returns what to claim in it: nothing once the chain is broken, because kgo
// would put the newer generation on the stale claims.
func (o *ownership) joining(generation int32) tasks {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.followLocked(generation)
	claimed := tasks{}
	if !o.broken {
		for task, h := range o.owned {
			claimed[task] = h.inputs
		}
	}
	return claimed
}

func (o *ownership) followLocked(generation int32) {
	if generation != o.seen && generation != o.seen+1 {
		o.broken = true
	}
	o.seen = generation
}

// assigned sets the target, before the session that it is for begins.
func (o *ownership) assigned(t target) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.target = t
}

// begin starts a session and returns the tasks that are lost, because they may
// have been others' since the one before.
func (o *ownership) begin(id Identity) (lost []assign.Task) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.followLocked(id.Generation)
	if o.broken || id.MemberID != o.id.MemberID {
		lost = o.dropLocked()
	}
	o.id, o.broken = id, false
	o.changedLocked()
	return lost
}

// revoke marks the owned tasks that are not in the target, or there with other
// inputs, and returns them. They stay owned until they are released.
func (o *ownership) revoke() (out []assign.Task) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, task := range o.tasksLocked() {
		h := o.owned[task]
		if inputs, ok := o.target.tasks[task]; !ok || o.leaving || !slices.Equal(inputs, h.inputs) {
			h.revoking = true
			out = append(out, task)
		}
	}
	o.changedLocked()
	return out
}

// release ends the ownership of tasks that were being revoked.
func (o *ownership) release(revoked []assign.Task) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, task := range revoked {
		delete(o.owned, task)
	}
	o.changedLocked()
}

// assign takes over what is new in the target, and returns both.
func (o *ownership) assign() (added []assign.Task, t target) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving {
		return nil, target{}
	}
	for _, task := range slices.SortedFunc(maps.Keys(o.target.tasks), assign.Task.Compare) {
		if o.owned[task] == nil {
			o.last++
			o.owned[task] = &holding{incarnation: o.last, inputs: o.target.tasks[task]}
			added = append(added, task)
		}
	}
	o.changedLocked()
	return added, o.target
}

// lose ends the session and the ownership of everything.
func (o *ownership) lose() []assign.Task {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.id, o.target = Identity{InstanceID: o.id.InstanceID, Generation: -1}, target{}
	lost := o.dropLocked()
	o.changedLocked()
	return lost
}

// leave makes the next revoke one of everything, and assigns nothing any more.
func (o *ownership) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.leaving = true
}

func (o *ownership) isLeaving() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leaving
}

func (o *ownership) claim(task assign.Task) (Claim, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h, ok := o.owned[task]
	if !ok {
		return Claim{}, false
	}
	return Claim{Task: task, Incarnation: h.incarnation}, true
}

func (o *ownership) inputs(task assign.Task) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h, ok := o.owned[task]; ok {
		return slices.Clone(h.inputs)
	}
	return nil
}

func (o *ownership) identity(claims []Claim) (Identity, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.identityLocked(claims)
}

func (o *ownership) identityLocked(claims []Claim) (Identity, error) {
	for _, c := range claims {
		if h, ok := o.owned[c.Task]; !ok || h.incarnation != c.Incarnation {
			return Identity{}, fmt.Errorf("task %s: %w", c.Task, ErrNotOwned)
		}
	}
	if o.id.MemberID == "" || o.id.Generation < 0 {
		return Identity{}, ErrNoGeneration
	}
	return o.id, nil
}

// await waits for an identity other than the refused one. A task that is being
// revoked has none to wait for: the next session begins after its revocation.
func (o *ownership) await(ctx context.Context, refused Identity, claims []Claim) (Identity, error) {
	for {
		o.mu.Lock()
		id, wait, err := o.lookLocked(refused, claims)
		changed := o.changed
		o.mu.Unlock()
		if !wait {
			return id, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Identity{}, context.Cause(ctx)
		}
	}
}

// lookLocked is one look of await; wait says that there may be an answer later.
func (o *ownership) lookLocked(refused Identity, claims []Claim) (id Identity, wait bool, err error) {
	id, err = o.identityLocked(claims)
	switch {
	case err == nil && !id.same(refused):
		return id, false, nil
	case errors.Is(err, ErrNotOwned):
		return Identity{}, false, err
	case slices.ContainsFunc(claims, func(c Claim) bool { return o.owned[c.Task] != nil && o.owned[c.Task].revoking }):
		return Identity{}, false, fmt.Errorf("generation %d is over for a task that is being revoked: %w", refused.Generation, ErrNoGeneration)
	}
	return Identity{}, true, nil
}

func (id Identity) same(o Identity) bool {
	return id.MemberID == o.MemberID && id.Generation == o.Generation
}

func (o *ownership) tasksLocked() []assign.Task {
	return slices.SortedFunc(maps.Keys(o.owned), assign.Task.Compare)
}

func (o *ownership) dropLocked() []assign.Task {
	lost := o.tasksLocked()
	clear(o.owned)
	o.lease.End()
	o.lease = kafka.NewLease()
	return lost
}

// changedLocked wakes whoever waits.
func (o *ownership) changedLocked() {
	close(o.changed)
	o.changed = make(chan struct{})
}
