package member

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
)

// A round is one rebalance as its leader sees it.
//
// A claim counts only if no other member claims the same partition in a later
// generation: a member that was away may still believe in what others own now.
// Claims of an earlier generation that nobody contradicts do count. A static
// member that missed the last Join is such a one, and it is still at work.
//
// A task that is to move is given to nobody while a member other than its new one
// holds one of its inputs. All members are told to join again: the holder revokes first,
// and the next round finds the task free. The others would else not hear of that round
// before their next heartbeat, while the task stands still; so they wait at the broker,
// and what they own goes on. This goes by task, so inputs that belong together never
// part.
//
// Members of another topology get no tasks, since the same task would mean
// something else to them. What they hold is held.
type round struct {
	topology    *topology
	counts      map[string]int32 // partitions by topic
	fingerprint string           // the leader's
	shape       []string         // of the leader's topology
	speaks      byte             // version of the user data
	replicas    Replicas
	weights     map[assign.Task]int64 // as the leader was last told
	members     []participant
}

type participant struct {
	id         string // Kafka's member id
	data       memberData
	generation int32
	claims     []kmsg.ConsumerMemberMetadataOwnedPartition
}

// key orders members by instance, which outlives the member id. The member id
// makes it unique where a process came back before the group has noticed that it
// was gone.
func (m participant) key() string { return m.data.self.Instance + "\x00" + m.id }

// plan assigns all tasks, but for those that have to be given up first.
func (r *round) plan(last roster) assignments {
	holders := r.holders()
	group := r.group(holders)
	shares := assign.Assign(group)
	again := false
	given := make([]tasks, len(r.members))
	var living []Fence
	for i, m := range r.members {
		living = append(living, m.data.self)
		given[i] = tasks{}
		for _, task := range shares[m.key()].Active {
			others := slices.DeleteFunc(holders[task], func(j int) bool { return j == i })
			if len(others) > 0 {
				again = true
				continue
			}
			given[i][task] = r.topology.inputs(task, r.counts)
		}
	}
	next := last.next(living)
	var out assignments
	for i, m := range r.members {
		share := shares[m.key()]
		data := assignmentData{fingerprint: r.fingerprint, again: again, roster: next, standby: share.Standby, warming: share.Warming, weights: group.Weights}
		if m.data.fingerprint != r.fingerprint {
			data.shape = r.shape
		}
		out = append(out, assignment{m.id, given[i], data, r.speaks})
	}
	return out
}

// holders are the members, by index, that hold an input of a task.
func (r *round) holders() map[assign.Task][]int {
	type partition struct {
		topic  string
		number int32
	}
	newest := map[partition]int32{}
	for _, m := range r.members {
		for _, c := range m.claims {
			for _, n := range c.Partitions {
				p := partition{c.Topic, n}
				if g, ok := newest[p]; !ok || m.generation > g {
					newest[p] = m.generation
				}
			}
		}
	}
	out := map[assign.Task][]int{}
	for i, m := range r.members {
		for _, c := range m.claims {
			sub, ok := r.topology.of[c.Topic]
			for _, n := range c.Partitions {
				task := assign.Task{Sub: sub, Partition: n}
				if ok && m.generation == newest[partition{c.Topic, n}] && !slices.Contains(out[task], i) {
					out[task] = append(out[task], i)
				}
			}
		}
	}
	return out
}

// group is the round as the pure assignor sees it.
func (r *round) group(holders map[assign.Task][]int) assign.Group {
	owned := make([][]assign.Task, len(r.members))
	for task, members := range holders {
		for _, i := range members {
			owned[i] = append(owned[i], task)
		}
	}
	g := assign.Group{
		Subs:     r.topology.sizes(r.counts),
		Standbys: r.replicas.Standbys, AcceptableLag: r.replicas.AcceptableLag, Warmups: r.replicas.Warmups, SpreadBy: r.replicas.SpreadBy,
		Weights: r.known(holders),
	}
	for i, m := range r.members {
		if m.data.fingerprint == r.fingerprint {
			g.Members = append(g.Members, assign.Member{ID: m.key(), Owned: owned[i], Held: m.data.held, Tags: m.data.tags})
		}
	}
	return g
}

// assignments are what the leader sends.
type assignments []assignment

type assignment struct {
	member string
	tasks  tasks
	data   assignmentData
	speaks byte
}

// IntoSyncAssignment encodes them.
func (as assignments) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	var out []kmsg.SyncGroupRequestGroupAssignment
	for _, a := range as {
		sync := kmsg.NewSyncGroupRequestGroupAssignment()
		sync.MemberID, sync.MemberAssignment = a.member, a.encode()
		out = append(out, sync)
	}
	return out
}

func (a assignment) encode() []byte {
	out := kmsg.NewConsumerMemberAssignment()
	out.UserData = a.data.encode(a.speaks)
	for _, tp := range a.tasks.partitions() {
		topic := kmsg.NewConsumerMemberAssignmentTopic()
		topic.Topic, topic.Partitions = tp.topic, tp.partitions
		out.Topics = append(out.Topics, topic)
	}
	return out.AppendTo(nil)
}
