package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/kafka"
)

// A Group is a coordinator of the classic protocol:
//
//	        join                 all have joined, or time is up
//	empty ------> preparing -------------------------------> completing
//	                  ^  ^                                        |
//	                  |  +---- join, leave, session is over ------+
//	                  |                                           | leader syncs
//	                  +------- join, leave, session is over --- stable
type Group struct {
	offsets
	state      groupState
	generation int32
	members    map[string]*groupMember
	static     map[string]string // member ids by instance
	leader     string
	ids        int
	began      time.Time // preparing

	SessionTimeout, RebalanceTimeout time.Duration
}

type groupState int8

const (
	empty groupState = iota
	preparing
	completing
	stable
)

type groupMember struct {
	id, instance string
	metadata     []byte
	join         reply[Joined] // waits; nil: does not
	sync         reply[[]byte]
	assignment   []byte
	heard        time.Time
}

// Joined is the answer to a JoinGroup.
type Joined struct {
	Member     string
	Generation int32
	Members    []kmsg.JoinGroupResponseMember // of the leader, who has to plan
}

// String is short.
func (j Joined) String() string {
	if j.Members != nil {
		return fmt.Sprintf("generation %d for %s, the leader of %d", j.Generation, j.Member, len(j.Members))
	}
	return fmt.Sprintf("generation %d for %s", j.Generation, j.Member)
}

func newGroup(s *Sim) *Group {
	return &Group{
		offsets: offsets{s: s, committed: map[kafka.TopicPartition]written{}},
		members: map[string]*groupMember{}, static: map[string]string{},
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 20 * time.Second,
	}
}

// known is what the coordinator checks of who speaks.
func (g *Group) known(id string, instance *string) (*groupMember, error) {
	if instance != nil {
		switch now, ok := g.static[*instance]; {
		case !ok:
			return nil, kerr.UnknownMemberID
		case now != id:
			return nil, kerr.FencedInstanceID
		}
	}
	m := g.members[id]
	if m == nil {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}

// validate is what the coordinator checks of a commit of offsets.
func (g *Group) validate(who kafka.Identity, transactional bool) error {
	if who.Generation < 0 && g.state == empty {
		return nil
	}
	if who.Generation < 0 && who.MemberID == "" && who.InstanceID == nil {
		if transactional {
			return nil
		}
		return kerr.UnknownMemberID
	}
	m, err := g.known(who.MemberID, who.InstanceID)
	switch {
	case err != nil:
		return err
	case who.Generation != g.generation:
		return kerr.IllegalGeneration
	case !transactional && g.state == completing:
		return kerr.RebalanceInProgress
	}
	m.heard = time.Now()
	return nil
}

// commitPlain is OffsetCommit.
func (g *Group) commitPlain(who kafka.Identity, of map[kafka.TopicPartition]kafka.Committed) error {
	if err := g.validate(who, false); err != nil {
		return err
	}
	g.commit(of)
	return nil
}

func (g *Group) heartbeat(id string, instance *string, generation int32) error {
	m, err := g.known(id, instance)
	switch {
	case err != nil:
		return err
	case generation != g.generation:
		return kerr.IllegalGeneration
	}
	m.heard = time.Now()
	if g.state == preparing {
		return kerr.RebalanceInProgress
	}
	return nil
}

// A Join is a JoinGroup.
type Join struct {
	Member   string  // empty: a new one
	Instance *string // of a static one
	Metadata []byte
}

func (g *Group) join(j Join, r reply[Joined]) {
	m, err := g.known(j.Member, j.Instance)
	switch {
	case j.Member == "" && j.Instance != nil && g.static[*j.Instance] != "":
		g.replace(j, r)
		return
	case j.Member == "":
		m = g.newMember(j.Instance)
	case err != nil:
		r(Joined{}, err)
		return
	}
	m.heard = time.Now()
	same := slices.Equal(m.metadata, j.Metadata)
	m.metadata = j.Metadata
	switch {
	case g.state == completing && same && m.join == nil, g.state == stable && same && m.id != g.leader:
		r(g.joined(m), nil) // its answer got lost
	default:
		m.answerJoin(Joined{}, kerr.RebalanceInProgress) // a repetition
		m.join = r
		g.prepare()
		g.maybeComplete()
	}
}

func (g *Group) newMember(instance *string) *groupMember {
	g.ids++
	m := &groupMember{id: fmt.Sprint("member-", g.ids), heard: time.Now()}
	if instance != nil {
		m.instance = *instance
		g.static[*instance] = m.id
	}
	g.members[m.id] = m
	return m
}

// replace lets a static member come back: a stable group goes on with it as it is.
func (g *Group) replace(j Join, r reply[Joined]) {
	old := g.members[g.static[*j.Instance]]
	old.answerJoin(Joined{}, kerr.FencedInstanceID)
	old.answerSync(nil, kerr.FencedInstanceID)
	delete(g.members, old.id)
	m := g.newMember(j.Instance)
	m.metadata, m.assignment = j.Metadata, old.assignment
	if g.leader == old.id {
		g.leader = m.id
	}
	if g.state == stable {
		answer := g.joined(m)
		answer.Members = nil // whoever leads need not plan
		r(answer, nil)
		return
	}
	m.join = r
	g.prepare()
	g.maybeComplete()
}

func (m *groupMember) answerJoin(j Joined, err error) {
	if r := m.join; r != nil {
		m.join = nil
		r(j, err)
	}
}

func (m *groupMember) answerSync(assignment []byte, err error) {
	if r := m.sync; r != nil {
		m.sync = nil
		r(assignment, err)
	}
}

func (g *Group) joined(m *groupMember) Joined {
	j := Joined{Member: m.id, Generation: g.generation}
	if m.id == g.leader {
		j.Members = []kmsg.JoinGroupResponseMember{}
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			j.Members = append(j.Members, kmsg.JoinGroupResponseMember{MemberID: id, ProtocolMetadata: g.members[id].metadata})
		}
	}
	return j
}

// prepare begins a rebalance, unless one is on.
func (g *Group) prepare() {
	if g.state == preparing {
		return
	}
	g.s.Log("        the group rebalances")
	g.state, g.began = preparing, time.Now()
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		g.members[id].answerSync(nil, kerr.RebalanceInProgress)
	}
}

func (g *Group) maybeComplete() {
	for _, m := range g.members {
		if m.join == nil {
			return
		}
	}
	g.complete()
}

// complete begins a generation. Dynamic members that have not joined are removed,
// static ones are kept with what they last said.
func (g *Group) complete() {
	var present []string
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		switch m := g.members[id]; {
		case m.join != nil:
			present = append(present, id)
		case m.instance == "":
			delete(g.members, id)
		}
	}
	switch {
	case len(g.members) == 0:
		g.state = empty
		g.generation++
		return
	case len(present) == 0:
		g.began = time.Now() // nobody could lead
		return
	}
	if !slices.Contains(present, g.leader) {
		g.leader = present[0]
	}
	g.generation++
	g.state = completing
	g.s.Log("        generation %d: %d members, %v have joined, %s leads", g.generation, len(g.members), present, g.leader)
	for _, id := range present {
		m := g.members[id]
		m.heard, m.assignment = time.Now(), nil
		m.answerJoin(g.joined(m), nil)
	}
}

// A Sync is a SyncGroup. The leader's holds the plan.
type Sync struct {
	Member     string
	Instance   *string
	Generation int32
	Plan       []kmsg.SyncGroupRequestGroupAssignment
}

func (g *Group) sync(q Sync, r reply[[]byte]) {
	m, err := g.known(q.Member, q.Instance)
	switch {
	case err != nil:
		r(nil, err)
	case q.Generation != g.generation:
		r(nil, kerr.IllegalGeneration)
	case g.state == preparing:
		r(nil, kerr.RebalanceInProgress)
	case g.state == stable:
		m.heard = time.Now()
		r(m.assignment, nil)
	default:
		m.answerSync(nil, kerr.RebalanceInProgress) // a repetition
		m.heard, m.sync = time.Now(), r
		if q.Member == g.leader && q.Plan != nil {
			g.assign(q.Plan)
		}
	}
}

func (g *Group) assign(plan []kmsg.SyncGroupRequestGroupAssignment) {
	for _, a := range plan {
		if m := g.members[a.MemberID]; m != nil {
			m.assignment = a.MemberAssignment
		}
	}
	g.state = stable
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		g.members[id].answerSync(g.members[id].assignment, nil)
	}
}

func (g *Group) leave(id string, instance *string) error {
	m, err := g.known(id, instance)
	if err != nil {
		return err
	}
	g.remove(m)
	return nil
}

func (g *Group) remove(m *groupMember) {
	m.answerJoin(Joined{}, kerr.UnknownMemberID)
	m.answerSync(nil, kerr.UnknownMemberID)
	delete(g.members, m.id)
	if m.instance != "" && g.static[m.instance] == m.id {
		delete(g.static, m.instance)
	}
	g.prepare()
	g.maybeComplete()
}

// choices are what the coordinator may do now.
func (g *Group) choices(add func(weight int, do func())) {
	now := time.Now()
	if g.state == preparing && now.Sub(g.began) >= g.RebalanceTimeout {
		add(4, func() {
			g.s.Log("        the rebalance has timed out")
			g.complete()
		})
	}
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		if m := g.members[id]; m.join == nil && now.Sub(m.heard) >= g.SessionTimeout {
			add(2, func() {
				g.s.Log("        the session of %s %s is over", m.id, m.instance)
				g.remove(m)
			})
		}
	}
}

// moments are when the coordinator's clocks strike.
func (g *Group) moments(sooner func(time.Time)) {
	if g.state == preparing {
		sooner(g.began.Add(g.RebalanceTimeout))
	}
	for _, m := range g.members {
		if m.join == nil {
			sooner(m.heard.Add(g.SessionTimeout))
		}
	}
}
