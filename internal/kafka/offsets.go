package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	errIdentity = errors.New("offsets may only be committed as a member of a generation")
	errTopicID  = errors.New("topic has no known id")
	errOmitted  = errors.New("the broker left the partition out of its answer")
)

// A Group reads and writes the committed offsets of one consumer group. Its
// methods may be called concurrently as long as nobody changes it.
type Group struct {
	Name string
	// IDs holds the id of each topic that offsets are read or written of. The
	// newest requests name topics by id alone: an offset of a topic that was
	// deleted never becomes one of its successor.
	IDs map[string][16]byte

	at coordinator
}

// Committed is what a group has committed of a partition.
type Committed struct {
	Offset      int64
	Metadata    string
	LeaderEpoch int32 // of the record before Offset; -1 is unknown
}

// An Identity says as whom offsets are committed. The broker checks member and
// generation, and would check nothing if they were left out.
type Identity struct {
	MemberID   string
	Generation int32
	InstanceID *string // group.instance.id; nil for a dynamic member
}

func (id Identity) check() error {
	if id.MemberID == "" || id.Generation < 0 {
		return fmt.Errorf("%w: member id %q, generation %d", errIdentity, id.MemberID, id.Generation)
	}
	return nil
}

// FetchStable returns the committed offsets of partitions; one that has none is
// not in the map, nor is any if there is no such group. While a transaction that commits any of them is open it
// waits: the answer is what holds after that transaction.
func (g *Group) FetchStable(ctx context.Context, cl *kgo.Client, partitions []TopicPartition) (map[TopicPartition]Committed, error) {
	return g.fetch(ctx, cl, stable, partitions)
}

// FetchCommitted is FetchStable without the wait: what open transactions are going to
// commit is not in the answer, which may be of many partitions that are busy.
func (g *Group) FetchCommitted(ctx context.Context, cl *kgo.Client, partitions []TopicPartition) (map[TopicPartition]Committed, error) {
	return g.fetch(ctx, cl, committed, partitions)
}

// A reading is which offsets are asked for.
type reading bool

const (
	committed reading = false
	stable    reading = true
)

func (g *Group) fetch(ctx context.Context, cl *kgo.Client, which reading, partitions []TopicPartition) (map[TopicPartition]Committed, error) {
	var found map[TopicPartition]Committed
	err := retry(ctx, patient(), func() (err error) {
		found, err = g.fetchOnce(ctx, cl, which, partitions)
		return g.at.heed(err)
	})
	if err != nil {
		return nil, fmt.Errorf("committed offsets of group %s: %w", g.Name, err)
	}
	return found, nil
}

func (g *Group) fetchOnce(ctx context.Context, cl *kgo.Client, which reading, partitions []TopicPartition) (map[TopicPartition]Committed, error) {
	if len(partitions) == 0 {
		return nil, nil // a request without topics would ask for all
	}
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = g.Name
	for topic, numbers := range byTopic(slices.Values(partitions)) {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = topic, numbers
		var err error
		if t.TopicID, err = g.id(topic); err != nil {
			return nil, err
		}
		group.Topics = append(group.Topics, t)
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = bool(which)
	req.Groups = append(req.Groups, group)
	resp, err := g.at.ask(ctx, cl, ofGroup, g.Name, req)
	if err != nil {
		return nil, err
	}
	return g.found(resp.(*kmsg.OffsetFetchResponse), partitions)
}

// found reads an answer. One partition that is refused refuses all.
func (g *Group) found(resp *kmsg.OffsetFetchResponse, asked []TopicPartition) (map[TopicPartition]Committed, error) {
	found, answered := map[TopicPartition]Committed{}, map[TopicPartition]bool{}
	for _, group := range resp.Groups {
		switch err := kerr.ErrorForCode(group.ErrorCode); {
		case errors.Is(err, kerr.GroupIDNotFound):
			return nil, nil
		case err != nil:
			return nil, err
		}
		for _, t := range group.Topics {
			for _, p := range t.Partitions {
				tp := TopicPartition{g.topic(t.Topic, t.TopicID), p.Partition}
				answered[tp] = true
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, &PartitionError{tp, err}
				}
				if p.Offset < 0 {
					continue // nothing committed
				}
				c := Committed{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch}
				if p.Metadata != nil {
					c.Metadata = *p.Metadata
				}
				found[tp] = c
			}
		}
	}
	for _, tp := range asked {
		if !answered[tp] { // must not look as if nothing were committed
			return nil, &PartitionError{tp, errOmitted}
		}
	}
	return found, nil
}

// Commit commits offsets outside of any transaction. OnCommit says what an
// error asks for.
//
// A request whose answer got lost may still be on its way, and be handled after
// a later one: offsets that must never go backwards belong in a transaction.
func (g *Group) Commit(ctx context.Context, cl *kgo.Client, who Identity, offsets map[TopicPartition]Committed) error {
	if err := who.check(); err != nil {
		return err
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = g.Name, who.MemberID, who.Generation, who.InstanceID
	for topic, numbers := range byTopic(maps.Keys(offsets)) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = topic
		var err error
		if t.TopicID, err = g.id(topic); err != nil {
			return err
		}
		for _, n := range numbers {
			c := offsets[TopicPartition{topic, n}]
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = n, c.Offset, c.LeaderEpoch, &c.Metadata
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return retry(ctx, again, func() error {
		resp, err := g.at.ask(ctx, cl, ofGroup, g.Name, req)
		if err != nil {
			return g.at.heed(err)
		}
		for _, t := range resp.(*kmsg.OffsetCommitResponse).Topics {
			for _, p := range t.Partitions {
				err = g.graver(err, TopicPartition{g.topic(t.Topic, t.TopicID), p.Partition}, p.ErrorCode)
			}
		}
		return g.at.heed(err)
	})
}

// CommitTxn adds offsets to the open transaction of producer; they are
// committed when it is. It may be repeated within the transaction: the last
// offsets win. OnCommit says what an error asks for.
//
// The broker then holds a transaction that kgo does not know of until a record
// was produced: without one, EndTransaction would do nothing and return nil.
func (g *Group) CommitTxn(ctx context.Context, producer *kgo.Client, who Identity, offsets map[TopicPartition]Committed) error {
	if err := who.check(); err != nil {
		return err
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, _ = producer.OptValue(kgo.TransactionalID).(string)
	req.Group, req.MemberID, req.Generation, req.InstanceID = g.Name, who.MemberID, who.Generation, who.InstanceID
	for topic, numbers := range byTopic(maps.Keys(offsets)) {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = topic
		var err error
		if t.TopicID, err = g.id(topic); err != nil {
			return err
		}
		for _, n := range numbers {
			c := offsets[TopicPartition{topic, n}]
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = n, c.Offset, c.LeaderEpoch, &c.Metadata
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return retry(ctx, again, func() (err error) {
		if req.ProducerID, req.ProducerEpoch, err = producer.ProducerID(ctx); err != nil {
			return err
		}
		resp, err := g.at.ask(ctx, producer, ofGroup, g.Name, req)
		if err != nil {
			return g.at.heed(err)
		}
		for _, t := range resp.(*kmsg.TxnOffsetCommitResponse).Topics {
			for _, p := range t.Partitions {
				err = g.graver(err, TopicPartition{g.topic(t.Topic, t.TopicID), p.Partition}, p.ErrorCode)
			}
		}
		return g.at.heed(err)
	})
}

func again(err error) bool { return OnCommit(err) == Retry }

// graver returns err or that of code, whichever asks for more.
func (g *Group) graver(err error, tp TopicPartition, code int16) error {
	if ke := kerr.ErrorForCode(code); OnCommit(ke) > OnCommit(err) {
		return &PartitionError{tp, ke}
	}
	return err
}

func (g *Group) id(topic string) ([16]byte, error) {
	id := g.IDs[topic]
	if id == [16]byte{} {
		return id, fmt.Errorf("%w: %s", errTopicID, topic)
	}
	return id, nil
}

// topic is the name of a topic in an answer, which holds the name or the id.
func (g *Group) topic(name string, id [16]byte) string {
	for known, its := range g.IDs {
		if its == id {
			return known
		}
	}
	return name
}
