package member

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
)

var seed = flag.Uint64("seed", rand.Uint64(), "seed of random histories")

func random(t *testing.T) *rand.Rand {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with -seed=%d", *seed)
		}
	})
	return rand.New(rand.NewPCG(*seed, 0))
}

var counts = map[string]int32{"a": 6, "b": 6, "c": 4}

func sorted(ts tasks) []assign.Task {
	return slices.SortedFunc(maps.Keys(ts), assign.Task.Compare)
}

// balance does what kgo does with a balancer when it leads.
func balance(b *balancer, members []kmsg.JoinGroupResponseMember) ([]kmsg.SyncGroupRequestGroupAssignment, error) {
	mb, _, err := b.MemberBalancer(members)
	if err != nil {
		return nil, err
	}
	into, err := mb.(kgo.GroupMemberBalancerOrError).BalanceOrError(counts)
	if err != nil {
		return nil, err
	}
	return into.IntoSyncAssignment(), nil
}

// A sim is Kafka's group coordinator, with the part of kgo that matters: what it
// does not tell its callbacks.
type sim struct {
	t          *testing.T
	r          *rand.Rand
	generation int32
	ids        int
	members    []*simMember
}

type simMember struct {
	*balancer
	static   bool
	known    string // to the broker; empty if it has been removed
	id       string // to itself
	last     int32  // generation of the last answer to a Join
	metadata []byte // of the last Join
}

// In every round some members are there in time, and some are not. Dynamic ones
// are removed then, static ones are kept with what they last said. A Sync may
// fail. Whatever happens, no two members can commit for one task; and once all are
// there, all tasks are owned, in balance.
func TestRounds(t *testing.T) {
	t.Parallel()
	r := random(t)
	for range 60 {
		s := &sim{t: t, r: r}
		for i := range 1 + r.IntN(5) {
			top, _ := newTopology(subs())
			s.members = append(s.members, &simMember{static: r.IntN(2) == 0, last: -1, balancer: &balancer{
				speaks: dataVersion, topology: top, own: newOwnership(), self: memberData{fingerprint: "v1", self: Fence{fmt.Sprint("p", i), 1}},
				report: func(err error) { t.Error(err) },
			}})
		}
		for range 20 {
			s.round(0.7, 0.2)
		}
		for range 3 {
			s.round(1, 0)
		}
		var all int
		for _, m := range s.members {
			n := len(m.own.owned)
			if low := 10 / len(s.members); n < low || n > low+1 {
				t.Errorf("a member of %d owns %d tasks", len(s.members), n)
			}
			all += n
		}
		if all != 10 {
			t.Errorf("%d tasks of 10 are owned", all)
		}
	}
}

// round is one rebalance. there and fail are the chances of a member to be there
// and of a Sync to fail.
func (s *sim) round(there, fail float64) {
	present := s.join(there)
	if len(present) == 0 {
		return
	}
	s.generation++
	var joined []kmsg.JoinGroupResponseMember
	for _, m := range s.members {
		if m.known != "" {
			joined = append(joined, kmsg.JoinGroupResponseMember{MemberID: m.known, ProtocolMetadata: m.metadata})
		}
	}
	plan, err := balance(present[s.r.IntN(len(present))].balancer, joined)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range present {
		m.last = s.generation
	}
	s.check()
	for _, m := range present {
		if s.r.Float64() < fail {
			continue
		}
		i := slices.IndexFunc(plan, func(a kmsg.SyncGroupRequestGroupAssignment) bool { return a.MemberID == m.id })
		if got, err := m.ParseSyncAssignment(plan[i].MemberAssignment); err != nil || len(got) != 0 {
			s.t.Fatal(got, err)
		}
		m.own.begin(Identity{MemberID: m.id, Generation: s.generation})
		s.check()
		revoked := m.own.revoke()
		s.check()
		m.own.release(revoked)
		m.own.assign()
		s.check()
	}
}

// join lets members join, in any order.
func (s *sim) join(there float64) (present []*simMember) {
	for _, i := range s.r.Perm(len(s.members)) {
		m := s.members[i]
		if s.r.Float64() >= there {
			if !m.static {
				m.known = ""
			}
			continue
		}
		if m.known == "" { // UNKNOWN_MEMBER_ID, of which kgo tells nobody
			s.ids++
			m.known = fmt.Sprint("member-", s.ids)
			m.id = m.known
		}
		m.metadata = m.JoinGroupMetadata([]string{"a", "b", "c"}, nil, m.last)
		present = append(present, m)
	}
	return present
}

// check sees who could commit for a task now: a member that believes to own it,
// and that the broker believes.
func (s *sim) check() {
	s.t.Helper()
	committer := map[assign.Task]string{}
	for _, m := range s.members {
		for task := range m.own.owned {
			claim, _ := m.own.claim(task)
			id, err := m.own.identity([]Claim{claim})
			if err != nil || id.MemberID != m.known || id.Generation != s.generation {
				continue
			}
			if other, ok := committer[task]; ok {
				s.t.Fatalf("generation %d: %s and %s can both commit %v", s.generation, other, id.MemberID, task)
			}
			committer[task] = id.MemberID
		}
	}
}
