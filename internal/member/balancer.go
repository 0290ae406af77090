package member

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
)

// A balancer is the group's assignor: a kgo.GroupBalancer that assigns tasks and
// never single partitions. kgo calls it from the goroutine that manages the group,
// and from no other.
//
// kgo itself is told that nothing is ever assigned. So it fetches nothing, reads
// and commits no offsets, and revokes nothing of its own; who owns what is only in
// ownership, and in the bytes that members and brokers exchange.
type balancer struct {
	topology *topology
	self     memberData
	held     func() map[assign.Task]int64 // nil: nothing
	measured func() map[assign.Task]int64 // nil: nothing
	replicas Replicas
	shape    []string // of the topology
	speaks   byte     // version of the user data
	own      *ownership
	roster   roster                // of the last assignment
	weights  map[assign.Task]int64 // of the last assignment
	synced   bool                  // there was one
	rejoin   bool                  // the first one is to be another's
	report   func(error)           // of an assignment that is not for this topology
}

// protocol is the name of the assignor. A group whose members do not share it
// cannot form.
const protocol = "leat"

// ErrTopology is wrapped by the error of a member whose topology is not the one
// that the group runs.
var ErrTopology = errors.New("the group runs another topology")

// A TopologyError says what the group runs. It wraps ErrTopology.
type TopologyError struct {
	Theirs, Ours string   // fingerprints
	Shape        []string // of theirs, as in Config; empty if the leader says nothing of it
}

func (e *TopologyError) Error() string {
	return fmt.Sprintf("%v, %q and not %q: this process gets no tasks until the others have stopped", ErrTopology, e.Theirs, e.Ours)
}

func (e *TopologyError) Unwrap() error { return ErrTopology }

// ErrUnknownTopic is wrapped by the error of a member that was assigned a topic which its
// topology does not read.
var ErrUnknownTopic = errors.New("none of the topology's")

// errUserData is wrapped by the error of user data that cannot be read.
var errUserData = errors.New("written by another program or a broken one")

func (*balancer) ProtocolName() string { return protocol }

func (*balancer) IsCooperative() bool { return true }

// JoinGroupMetadata claims what is owned. kgo's idea of the current assignment is
// empty.
func (b *balancer) JoinGroupMetadata(interests []string, _ map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = interests
	meta.Generation = generation
	self := b.self
	if b.held != nil {
		self.held = b.held()
	}
	claimed := b.own.joining(generation)
	if b.measured != nil {
		self.weights = tell(claimed, b.weights, b.measured())
	}
	meta.UserData = self.encode(b.speaks)
	for _, tp := range claimed.partitions() {
		owned := kmsg.NewConsumerMemberMetadataOwnedPartition()
		owned.Topic, owned.Partitions = tp.topic, tp.partitions
		meta.OwnedPartitions = append(meta.OwnedPartitions, owned)
	}
	return meta.AppendTo(nil)
}

// MemberBalancer reads what the members sent.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(b, members)
	return cb, cb.MemberTopics(), err
}

// Balance makes the plan of a generation as its leader. A leader that has not seen
// all topics yet makes none, lest a task be assigned without one of its inputs; kgo
// reads the metadata again and joins anew.
func (b *balancer) Balance(cb *kgo.ConsumerBalancer, counts map[string]int32) kgo.IntoSyncAssignment {
	for _, topic := range b.topology.topics() {
		if counts[topic] == 0 {
			cb.SetError(fmt.Errorf("topic %q is not known to exist", topic))
			return nil
		}
	}
	r := round{topology: b.topology, counts: counts, fingerprint: b.self.fingerprint, shape: b.shape, speaks: b.speaks, replicas: b.replicas, weights: b.weights}
	for i, m := range cb.Members() {
		_, meta := cb.MemberAt(i)
		data, err := decodeMember(meta.UserData, b.speaks)
		if err != nil {
			cb.SetError(fmt.Errorf("group member %s: %w, %w", m.MemberID, err, errUserData))
			return nil
		}
		r.members = append(r.members, participant{m.MemberID, data, meta.Generation, meta.OwnedPartitions})
	}
	return r.plan(b.roster)
}

// ParseSyncAssignment makes the assignment the target of ownership.
//
// A static member that restarts is not balanced: the broker gives it what was
// assigned to its predecessor, and kgo takes that as it is even if the member is
// the leader. If the predecessor had another topology or other workers, the member
// has to join again, once, to be assigned anew.
func (b *balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	if len(assignment) == 0 {
		return nil, errors.New("the leader left this member out") // joining again mends it
	}
	var got kmsg.ConsumerMemberAssignment
	if err := got.ReadFrom(assignment); err != nil {
		return nil, fmt.Errorf("assignment: %w, %w", err, errUserData)
	}
	data, err := decodeAssignment(got.UserData, b.speaks)
	if err != nil {
		return nil, fmt.Errorf("%w, %w", err, errUserData)
	}
	t := target{departed: data.roster.fences(), again: data.again, standby: data.standby, warming: data.warming}
	if !b.synced && (data.fingerprint != b.self.fingerprint || !slices.Contains(data.roster.living, b.self.self)) {
		t.again = true
	}
	first := !b.synced
	b.roster, b.weights, b.synced = data.roster, data.weights, true
	if data.fingerprint != b.self.fingerprint {
		t.standby, t.warming = nil, nil
		b.report(&TopologyError{Theirs: data.fingerprint, Ours: b.self.fingerprint, Shape: data.shape})
	} else if first && b.rejoin {
		t = target{departed: t.departed, again: true}
	} else if t.tasks, err = b.topology.tasks(got.Topics); err != nil {
		b.report(err)
		return nil, err
	}
	b.own.assigned(t)
	return nil, nil
}

// topicPartitions are partitions of one topic.
type topicPartitions struct {
	topic      string
	partitions []int32
}

func sortedPartitions(by map[string][]int32) []topicPartitions {
	var out []topicPartitions
	for topic, partitions := range by {
		slices.Sort(partitions)
		out = append(out, topicPartitions{topic, partitions})
	}
	slices.SortFunc(out, func(a, b topicPartitions) int { return cmp.Compare(a.topic, b.topic) })
	return out
}
