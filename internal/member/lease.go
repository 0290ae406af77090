package member

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
)

// Lease is that of what is owned now: it ends when tasks are lost. It holds only while
// Prove runs.
func (m *Member) Lease() *kafka.Lease {
	m.own.mu.Lock()
	defer m.own.mu.Unlock()
	return m.own.lease
}

// Prove asks the group, now and then, whether it counts on this member, and extends the
// lease with each yes, until ctx ends. ask is a heartbeat, by which the broker begins the
// member's session anew: it must return within ctx, and soon where it can.
//
// A session begins when the broker has the heartbeat, which is later than when it was
// sent. So until that moment plus the session nobody else gets the member's tasks. During
// a rebalance the member is also thrown out if it does not join in time; the time that it
// has began after the last heartbeat that told of no rebalance.
func (m *Member) Prove(ctx context.Context, ask func(context.Context, Identity) error) error {
	session := cmp.Or(m.cfg.SessionTimeout, 45*time.Second) // kgo's defaults
	rebalance := cmp.Or(m.cfg.RebalanceTimeout, time.Minute)
	tick := time.NewTicker(session / 20)
	defer tick.Stop()
	var calm time.Time // when the last heartbeat was sent that told of no rebalance, or the generation was seen first
	var last Identity
	for {
		id, lease, changed := m.own.standing()
		sent := time.Now()
		if !id.same(last) { // which is no sooner than the rebalance after it; to wait for a heartbeat might be for ever
			last, calm = id, sent
		}
		var err error = ErrNoGeneration
		if id.MemberID != "" {
			within, cancel := context.WithTimeout(ctx, session/4)
			err = ask(within, id)
			cancel()
		}
		until := sent.Add(session - session/10)
		switch {
		case err == nil:
			calm = sent
			lease.Extend(until)
		case errors.Is(err, kerr.RebalanceInProgress):
			if late := calm.Add(rebalance - session/10); late.Before(until) {
				until = late
			}
			lease.Extend(until)
		case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
			lease.End() // who gives the tasks up must not wait to write
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-changed:
		}
	}
}

// standing is as whom the member is in its group, if it is, with the lease of what it
// owns, and what will be closed when that changes.
func (o *ownership) standing() (Identity, *kafka.Lease, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.id, o.lease, o.changed
}
