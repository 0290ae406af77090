package member

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A plan is made of claims: who holds what, since which generation, and what comes
// of it. An exclamation mark says that the member is to join again.
func TestPlan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		claims []string // "member generation topic:partitions ..."
		want   string
	}{
		{"nobody holds anything", []string{"m -1", "n -1"}, "m[0_0 0_2 1_0] n[0_1 0_3 1_1]"},
		{"one joins", []string{"m 1 a:0,1,2,3 b:0,1,2,3 c:0,1", "n -1"}, "m![0_0 0_1 1_0] n![]"},
		{"what was revoked is free", []string{"m 2 a:0,1 b:0,1 c:0", "n 2"}, "m[0_0 0_1 1_0] n[0_2 0_3 1_1]"},
		{"one half of the inputs is held", []string{"m 2 a:0,1,2 b:0,1 c:0", "n 2 b:3 c:1"}, "m![0_0 0_1 1_0] n![0_3 1_1]"},
		{"a stale claim", []string{"m 2 a:0,1,2,3 b:0,1,2,3", "n 5 a:0,1 b:0,1"}, "m[0_2 0_3 1_0] n[0_0 0_1 1_1]"},
		{"an old claim that nobody contradicts", []string{"m 2 a:2,3 b:2,3", "n 5 a:0 b:0"}, "m[0_2 0_3 1_0] n[0_0 0_1 1_1]"},
		{"both claim it", []string{"m 5 a:0 b:0", "n 5 a:0 b:0"}, "m![0_2 1_0] n![0_1 0_3 1_1]"},
		{"a restart that the group has not noticed", []string{"m 5 a:0,1,2,3 b:0,1,2,3 c:0,1", "m -1"}, "m![0_0 0_1 1_0] m![]"},
		{"another topology", []string{"m 5 a:0 b:0", "other 5 a:1 c:1"}, "m![0_0 0_2 0_3 1_0] other![]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := round{fingerprint: "v1", counts: map[string]int32{"a": 4, "b": 4, "c": 2}}
			r.topology, _ = newTopology(subs())
			for i, claims := range c.claims {
				r.members = append(r.members, parseClaims(t, i, claims))
			}
			var got []string
			for i, a := range r.plan(roster{}) {
				mark := ""
				if a.data.again {
					mark = "!"
				}
				got = append(got, fmt.Sprintf("%s%s%v", r.members[i].data.self.Instance, mark, sorted(a.tasks)))
				for task, inputs := range a.tasks {
					if want := len(r.topology.inputs(task, r.counts)); len(inputs) != want {
						t.Errorf("%v has inputs %v", task, inputs)
					}
				}
			}
			expect(t, "plan", strings.Join(got, " "), c.want)
		})
	}
}

func parseClaims(t *testing.T, i int, claims string) participant {
	fields := strings.Fields(claims)
	m := participant{id: fmt.Sprint("id", i), data: memberData{fingerprint: "v1", self: Fence{fields[0], 1}}}
	if fields[0] == "other" {
		m.data.fingerprint = "v2"
	}
	if _, err := fmt.Sscan(fields[1], &m.generation); err != nil {
		t.Fatal(err)
	}
	for _, f := range fields[2:] {
		topic, list, _ := strings.Cut(f, ":")
		owned := kmsg.ConsumerMemberMetadataOwnedPartition{Topic: topic}
		for _, n := range strings.Split(list, ",") {
			owned.Partitions = append(owned.Partitions, int32(n[0]-'0'))
		}
		m.claims = append(m.claims, owned)
	}
	return m
}

func TestUnreadableUserData(t *testing.T) {
	t.Parallel()
	top, _ := newTopology(subs())
	b := &balancer{speaks: dataVersion, topology: top, own: newOwnership(), self: memberData{fingerprint: "v1", self: Fence{"m", 1}}}
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.UserData = 3, []byte("something")
	_, err := balance(b, []kmsg.JoinGroupResponseMember{{MemberID: "x", ProtocolMetadata: meta.AppendTo(nil)}})
	is(t, err, errUserData)
	if !fatal(err) {
		t.Error("not fatal")
	}
	got := kmsg.NewConsumerMemberAssignment()
	got.UserData = []byte{0}
	_, err = b.ParseSyncAssignment(got.AppendTo(nil))
	is(t, err, errUserData)
	_, err = b.ParseSyncAssignment([]byte{1})
	is(t, err, errUserData)
	if _, err = b.ParseSyncAssignment(nil); err == nil || fatal(err) {
		t.Errorf("no assignment: %v", err)
	}
}

// A static member restarts with the assignment of its predecessor.
func TestPredecessorsAssignment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		data  assignmentData
		again bool
	}{
		{"the same", assignmentData{fingerprint: "v1", roster: roster{living: []Fence{{"m", 2}}}}, false},
		{"it owed tasks when it died", assignmentData{fingerprint: "v1", again: true, roster: roster{living: []Fence{{"m", 2}}}}, true},
		{"fewer workers", assignmentData{fingerprint: "v1", roster: roster{living: []Fence{{"m", 1}}}}, true},
		{"another topology", assignmentData{fingerprint: "v0", roster: roster{living: []Fence{{"m", 2}}}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			top, _ := newTopology(subs())
			b := &balancer{speaks: dataVersion, topology: top, own: newOwnership(), self: memberData{fingerprint: "v1", self: Fence{"m", 2}}, report: func(error) {}}
			for i, again := range []bool{c.again, c.data.again} { // the second time it is an answer to us
				if _, err := b.ParseSyncAssignment(assignment{"x", tasks{}, c.data, dataVersion}.encode()); err != nil {
					t.Fatal(err)
				}
				if got := b.own.target.again; got != again {
					t.Errorf("assignment %d: join again: %v, want %v", i, got, again)
				}
			}
		})
	}
}
