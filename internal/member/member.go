// Package member makes a process a member of its group, on the classic group
// protocol, and says which tasks it owns. It assigns whole tasks, so that inputs
// which belong together never part, and it knows what Kafka's broker does not
// check: whether a task has been owned without a break. It reads no records and
// commits no offsets; it knows no worker and no store.
package member

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/kafka"
)

// A Handler is told what becomes of tasks. Assigned, Revoked and Lost are called
// one at a time, never with an empty list, and the group waits for them: while one
// runs, no later generation begins for this member. The context ends when there is
// no more time: Leave has given up, or Close was called.
type Handler interface {
	// Assigned says that tasks are owned from now on. departed are members that have
	// been in the group and are no more: fence them before reading what they wrote.
	// It must not wait for a restore, which may take longer than a rebalance may.
	Assigned(ctx context.Context, tasks []assign.Task, departed []Fence)

	// Revoked says that tasks are to be given up. They are owned until it returns,
	// which it must not do before everything that was done for them is committed or
	// aborted. If the broker refuses the commit, it is to be aborted: Await says so.
	// It must not wait for work on other tasks, which may be waiting for the session
	// that begins after it.
	Revoked(ctx context.Context, tasks []assign.Task)

	// Lost says that tasks are owned no more, and that others may have them. It must
	// not return before everything that was done for them is aborted.
	Lost(ctx context.Context, tasks []assign.Task)

	// Follow says which tasks' changelogs are to be followed from now on, and no
	// others: copies of state that stand by. warming are those of them that this
	// member is to run: once it has caught up with one, it is to call Rebalance. It is
	// called in every session and must not block.
	Follow(tasks, warming []assign.Task)

	// Failed says that the member cannot be in its group, or has no tasks there
	// (ErrTopology), for a reason that does not pass by itself. The member keeps
	// trying, and calls again, until it is closed. Failed may be called while any of
	// the others runs, and must not block.
	Failed(err error)
}

// Config says who the member is. Zero durations are franz-go's defaults.
type Config struct {
	Group       string
	Instance    string   // name of the process that outlives it; no two may share it
	Static      bool     // the instance is the group.instance.id, too
	Workers     int      // the most that the instance has ever used
	Fingerprint string   // of the topology; only members with equal ones share tasks
	Shape       []string // what the fingerprint is of, line by line, for members that have another
	Subs        []Sub

	speaks byte // version of the user data; 0: the latest

	// Rejoin makes the member begin with nothing and ask for an assignment of its own,
	// although it is a static one that comes back: what it reads has changed.
	Rejoin bool

	Replicas Replicas
	Tags     map[string]string            // where the process is: rack, zone
	Held     func() map[assign.Task]int64 // what it has of tasks' state, as positions in their changelogs added up; it must not block

	// Weights is what tasks weigh that it runs, in thousandths of a worker's time, as far as
	// that has been measured. It must not block.
	Weights func() map[assign.Task]int64

	// Rebalancing is told that a rebalance has begun, which may bring tasks. It must not block.
	Rebalancing func()

	SessionTimeout    time.Duration
	RebalanceTimeout  time.Duration
	HeartbeatInterval time.Duration

	Options []kgo.Opt // brokers, security, logger; nothing that concerns groups
}

// Replicas says how the leader places copies of state. All members should have it
// equal; that of the leader counts.
type Replicas struct {
	Standbys      int      // copies of each stateful task, besides the active one
	AcceptableLag int64    // changelog records that a member may lack to run a task at once
	Warmups       int      // the most tasks that warm up at a time; 0: no limit
	SpreadBy      []string // tags in which the copies of a task are to differ, the most important first
}

func (c Config) validate() error {
	var errs []error
	if c.Group == "" {
		errs = append(errs, errors.New("no group"))
	}
	if c.Instance == "" {
		errs = append(errs, errors.New("no instance id"))
	}
	if c.Workers < 1 {
		errs = append(errs, fmt.Errorf("%d workers", c.Workers))
	}
	return errors.Join(errs...)
}

// A Member is one process in its group. Its methods may be called from any
// goroutine; Leave and Close not from within the handler, which they wait for.
type Member struct {
	cfg      Config
	topology *topology
	own      *ownership
	sessions atomic.Int64

	// Set by Join.
	handler  Handler
	protocol *Protocol
	cl       *kgo.Client
	cancel   context.CancelFunc // ends the client's requests, and the handler's context
	watched  chan struct{}      // closed when watch has returned
}

// New returns a member that has not joined yet.
func New(cfg Config) (*Member, error) {
	t, err := newTopology(cfg.Subs)
	if err := errors.Join(cfg.validate(), err); err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	return &Member{cfg: cfg, topology: t, own: newOwnership(), watched: make(chan struct{})}, nil
}

// Join joins the group, in the background, and begins to call the handler, maybe
// before it returns. It must be called once, and have returned before Leave or
// Close is called; if it was not, or has failed, those two do nothing.
func (m *Member) Join(h Handler) error {
	ctx, cancel := context.WithCancel(context.Background())
	m.handler, m.protocol, m.cancel = h, m.Protocol(h), cancel
	cl, err := kgo.NewClient(append(m.options(), kgo.WithContext(ctx))...)
	if err != nil {
		cancel()
		return fmt.Errorf("member: %w", err)
	}
	m.cl = cl
	go m.watch()
	return nil
}

func (m *Member) options() []kgo.Opt {
	cfg := m.cfg
	opts := append(cfg.Options[:len(cfg.Options):len(cfg.Options)],
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(m.topology.topics()...),
		kgo.Balancers(m.protocol.balancer),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(m.onSession),
		kgo.OnPartitionsRevoked(m.onSessionEnd),
		kgo.OnPartitionsLost(m.onLost),
		kgo.WithHooks(&kafka.Refresher{}),
	)
	if cfg.Static {
		opts = append(opts, kgo.InstanceID(cfg.Instance))
	}
	if d := cfg.SessionTimeout; d > 0 {
		opts = append(opts, kgo.SessionTimeout(d))
	}
	if d := cfg.RebalanceTimeout; d > 0 {
		opts = append(opts, kgo.RebalanceTimeout(d))
	}
	if cfg.SessionTimeout > 0 && cfg.RebalanceTimeout > 0 {
		opts = append(opts, kgo.RetryTimeoutFn(m.retries))
	}
	if d := cfg.HeartbeatInterval; d > 0 {
		opts = append(opts, kgo.HeartbeatInterval(d))
	}
	return opts
}

// retries is for how long a request is repeated when a connection breaks; after that kgo gives up all that is owned. It
// allows one session by default, which would often be over before the repetition: a join is answered when the slowest
// member has come, and the broker waits for the others' joins meanwhile, broken connections or not. A heartbeat that
// reaches nobody says nothing of the group either: when a coordinator dies, the one that takes over gives every member
// a session anew. To own on meanwhile does no harm, since nothing can be committed that the group does not agree to.
func (m *Member) retries(key int16) time.Duration {
	switch kmsg.Key(key) {
	case kmsg.JoinGroup, kmsg.SyncGroup:
		return m.cfg.RebalanceTimeout + m.cfg.SessionTimeout
	case kmsg.Heartbeat:
		return m.cfg.SessionTimeout + failover
	}
	return 30 * time.Second // kgo's default
}

// failover is how long it may take the brokers to replace one that has died: its own
// session, 9 s by default, and as much again for those that are busy.
const failover = 20 * time.Second

// Claim returns the claim to a task that is owned, for Identity.
func (m *Member) Claim(task assign.Task) (Claim, bool) { return m.own.claim(task) }

// Inputs are the topics of which an owned task reads its partition, in order.
func (m *Member) Inputs(task assign.Task) []string { return m.own.inputs(task) }

// Identity returns as whom to commit for the claimed tasks. All of them have been
// owned without a break, in the very moment of the identity's generation; else the
// error is ErrNotOwned, and what was done for that task must be aborted. Without
// claims it says whether the member is in the group.
//
// An answer stays right for as long as the broker accepts it: Revoked is not over
// before the commit is, and in a generation in which the tasks are others' the
// broker knows this identity no more.
func (m *Member) Identity(claims ...Claim) (Identity, error) { return m.own.identity(claims) }

// Await is Identity after the broker has refused one (ILLEGAL_GENERATION,
// UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS): it waits until there is another. If
// there cannot be one in time, because a claimed task is being revoked, the error
// is ErrNoGeneration, and the transaction must be aborted.
func (m *Member) Await(ctx context.Context, refused Identity, claims ...Claim) (Identity, error) {
	return m.own.await(ctx, refused, claims)
}

// Sessions is how many generations of the group the member has been part of.
func (m *Member) Sessions() int64 { return m.sessions.Load() }

// Leave gives up all tasks and leaves the group at once, so that others need not
// wait for the session to time out. It returns when the handler is done and the
// broker has agreed; that takes as long as a rebalance, if one is going on. If the
// context ends first, it gives up. Close must follow.
func (m *Member) Leave(ctx context.Context) error {
	if m.cl == nil {
		return nil
	}
	m.own.leave()
	err := m.cl.LeaveGroupContext(ctx)
	if err == nil && m.cfg.Static {
		err = m.leaveStatic(ctx)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) && !errors.Is(err, kerr.FencedInstanceID) { // gone already, or replaced
		m.cancel()
		return fmt.Errorf("leave group %s: %w", m.cfg.Group, err)
	}
	return nil
}

// Rebalance asks the group for a new assignment, because something has changed that it
// does not see.
func (m *Member) Rebalance() {
	if m.cl != nil {
		m.cl.ForceRebalance()
	}
}

// leaveStatic does what kgo does not do for a static member. Its request names the
// member id along with the instance id, so that it cannot remove a successor that
// has joined as the same instance.
func (m *Member) leaveStatic(ctx context.Context) error {
	id := m.identity(m.cl)
	if id.MemberID == "" {
		return nil // it never joined
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.cfg.Group, id.MemberID
	leaver := kmsg.NewLeaveGroupRequestMember()
	leaver.MemberID, leaver.InstanceID = id.MemberID, id.InstanceID
	req.Members = append(req.Members, leaver)
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		return err
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	for _, r := range resp.Members {
		err = errors.Join(err, kerr.ErrorForCode(r.ErrorCode))
	}
	return err
}

// Close gives up all tasks and ends the member. It waits for the handler, whose
// context is over, and for nothing else. Unless Leave came before, the member stays
// in its group until the session times out; if it is a static one and comes back
// before that, it finds its tasks.
func (m *Member) Close() {
	if m.cl == nil {
		return
	}
	m.own.leave()
	m.cancel()
	m.cl.Close()
	<-m.watched
}

func (m *Member) onSession(ctx context.Context, cl *kgo.Client, _ map[string][]int32) {
	m.sessions.Add(1)
	if m.protocol.Begin(ctx, m.identity(cl)) {
		cl.ForceRebalance()
	}
}

func (m *Member) onSessionEnd(ctx context.Context, _ *kgo.Client, _ map[string][]int32) {
	if m.cfg.Rebalancing != nil {
		m.cfg.Rebalancing()
	}
	m.protocol.End(ctx)
}

func (m *Member) onLost(ctx context.Context, _ *kgo.Client, _ map[string][]int32) {
	m.protocol.Lost(ctx)
}

func (m *Member) identity(cl *kgo.Client) Identity {
	var id Identity
	id.MemberID, id.Generation = cl.GroupMetadata()
	if m.cfg.Static {
		id.InstanceID = &m.cfg.Instance
	}
	return id
}

// watch is the goroutine that takes kgo's errors until Close. A client reports them
// where it would deliver records; of those there are none.
func (m *Member) watch() {
	defer close(m.watched)
	for {
		fetches := m.cl.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		for _, e := range fetches.Errors() {
			if !fatal(e.Err) {
				continue
			}
			if e.Topic != "" {
				e.Err = fmt.Errorf("topic %s: %w", e.Topic, e.Err)
			}
			m.handler.Failed(fmt.Errorf("group %s: %w", m.cfg.Group, e.Err))
		}
	}
}
