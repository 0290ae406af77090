package member

import (
	"cmp"
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Protocol is the member's part in the life of its group, without a connection:
// what it says, what it makes of the answers, and when it tells its handler. Join
// drives it by what kgo calls; the simulator calls it as kgo would. It is not safe for
// concurrent use.
type Protocol struct {
	own      *ownership
	handler  Handler
	balancer *balancer
}

// Protocol returns the member's part, for who brings the connection; Join must not be
// called then.
func (m *Member) Protocol(h Handler) *Protocol {
	return &Protocol{own: m.own, handler: h, balancer: &balancer{
		topology: m.topology, own: m.own, report: h.Failed,
		self:  memberData{fingerprint: m.cfg.Fingerprint, self: Fence{m.cfg.Instance, m.cfg.Workers}, tags: m.cfg.Tags},
		shape: m.cfg.Shape, speaks: cmp.Or(m.cfg.speaks, dataVersion),
		rejoin: m.cfg.Rejoin, held: m.cfg.Held, measured: m.cfg.Weights, replicas: m.cfg.Replicas,
	}}
}

// Join is what the member says when it joins. generation is that of the last answer to
// a Join, -1 if there was none.
func (p *Protocol) Join(generation int32) (metadata []byte) {
	return p.balancer.JoinGroupMetadata(p.balancer.topology.topics(), nil, generation)
}

// Lead makes the assignments of a generation as its leader.
func (p *Protocol) Lead(members []kmsg.JoinGroupResponseMember, counts map[string]int32) ([]kmsg.SyncGroupRequestGroupAssignment, error) {
	mb, _, err := p.balancer.MemberBalancer(members)
	if err != nil {
		return nil, err
	}
	plan, err := mb.(kgo.GroupMemberBalancerOrError).BalanceOrError(counts)
	if err != nil {
		return nil, fmt.Errorf("balance: %w", err)
	}
	return plan.IntoSyncAssignment(), nil
}

// Sync takes the assignment in, before the session that it is for begins.
func (p *Protocol) Sync(assignment []byte) error {
	_, err := p.balancer.ParseSyncAssignment(assignment)
	return err
}

// Begin is called at the beginning of every session, after Sync. The member has to
// join again, for a further generation, if it says so.
func (p *Protocol) Begin(ctx context.Context, id Identity) (again bool) {
	if lost := p.own.begin(id); len(lost) > 0 {
		p.handler.Lost(ctx, lost)
	}
	if revoked := p.own.revoke(); len(revoked) > 0 {
		p.handler.Revoked(ctx, revoked)
		p.own.release(revoked)
	}
	added, t := p.own.assign()
	if len(added) > 0 {
		p.handler.Assigned(ctx, added, t.departed)
	}
	p.handler.Follow(t.standby, t.warming)
	return t.again
}

// End is called at the end of every session that another may follow, which changes
// nothing, and once when the member leaves. If it leaves between two sessions, the
// broker may not accept its identity any more; Await says so.
func (p *Protocol) End(ctx context.Context) {
	if !p.own.isLeaving() {
		return
	}
	if revoked := p.own.revoke(); len(revoked) > 0 {
		p.handler.Revoked(ctx, revoked)
	}
	p.own.lose()
}

// Lost is called when a session ends so that none can follow it.
func (p *Protocol) Lost(ctx context.Context) {
	if lost := p.own.lose(); len(lost) > 0 {
		p.handler.Lost(ctx, lost)
	}
}

// Leave makes the next End give up everything.
func (p *Protocol) Leave() { p.own.leave() }

// Look is one look of Member.Await: wait says that there may be an answer later.
func (p *Protocol) Look(refused Identity, claims ...Claim) (id Identity, wait bool, err error) {
	p.own.mu.Lock()
	defer p.own.mu.Unlock()
	return p.own.lookLocked(refused, claims)
}
