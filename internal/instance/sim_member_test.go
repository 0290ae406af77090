package instance

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/sim"
)

// belong is what kgo's group management does: it tells the protocol no more than kgo
// would.
func (p *simProcess) belong() {
	ctx := p.in.ctx
	for ctx.Err() == nil {
		err := p.session()
		switch {
		case p.leaving:
			p.protocol.End(ctx)
			_ = p.client.Leave(ctx, kafka.Identity(p.identity())) // it may be gone already
			p.left = true
			return
		case err == nil, errors.Is(err, kerr.RebalanceInProgress):
			p.protocol.End(ctx)
			continue
		case errors.Is(err, errAgain):
			continue // kgo tells nobody
		}
		p.w.s.Log("%s: the session ends: %v", p.host.Name, err)
		p.protocol.Lost(ctx)
		if errors.Is(err, kerr.FencedInstanceID) {
			p.fail(err)
			return
		}
		_ = p.w.s.Sleep(ctx, 250*time.Millisecond)
	}
}

func expected(err error) bool {
	return errors.Is(err, kerr.FencedInstanceID) || errors.Is(err, errSimStopped)
}

var errAgain = errors.New("to be joined again")

func (p *simProcess) identity() member.Identity {
	return member.Identity{MemberID: p.id, Generation: p.generation, InstanceID: &p.place.name}
}

// session is a session from its Join to its end. The error is why it ended; nil is to
// be joined again.
func (p *simProcess) session() error {
	ctx := p.in.ctx
	j, err := p.client.Join(ctx, sim.Join{Member: p.id, Instance: &p.place.name, Metadata: p.protocol.Join(p.generation)})
	if errors.Is(err, kerr.UnknownMemberID) {
		p.id = ""
		return errAgain
	}
	if err != nil {
		return joining(err)
	}
	p.id, p.generation, p.rejoin = j.Member, j.Generation, false
	sync := sim.Sync{Member: p.id, Instance: &p.place.name, Generation: p.generation}
	if j.Members != nil {
		if sync.Plan, err = p.protocol.Lead(j.Members, p.w.counts); err != nil {
			return err
		}
	}
	assignment, err := p.client.Sync(ctx, sync)
	if errors.Is(err, kerr.UnknownMemberID) {
		p.id = ""
		return errAgain
	}
	if err != nil {
		return joining(err)
	}
	if err := p.protocol.Sync(assignment); err != nil {
		return err
	}
	b := &simBeat{}
	p.w.s.Go(p.host, "heartbeat", func() { p.beat(b) })
	again := p.protocol.Begin(ctx, p.identity())
	if !again {
		err = p.w.s.Wait(ctx, func() bool { return b.err != nil || p.rejoin || p.leaving })
	}
	b.over = true
	return errors.Join(err, b.err)
}

// joining is what kgo makes of an error before a session: one that passes by itself is
// tried again without a word.
func joining(err error) error {
	if _, answered := errors.AsType[*kerr.Error](err); !answered || errors.Is(err, kerr.RebalanceInProgress) {
		return errAgain
	}
	return err
}

// A simBeat is the heart of one session.
type simBeat struct {
	over bool
	err  error // why the session ends
}

func (p *simProcess) beat(b *simBeat) {
	for !b.over && b.err == nil {
		if p.w.s.Sleep(p.in.ctx, 3*time.Second) != nil || b.over {
			return
		}
		err := p.client.Heartbeat(p.in.ctx, kafka.Identity(p.identity()))
		if _, answered := errors.AsType[*kerr.Error](err); answered && !b.over {
			b.err = err
		}
	}
}
