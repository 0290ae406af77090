package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// requestTimeout is how long a broker may take over a change of topics.
const requestTimeout = 15 * time.Second

var errNotYet = errors.New("topic is not visible on all its partitions yet")

// A Topic is what the brokers say of a topic. One that does not exist is zero.
type Topic struct {
	ID         [16]byte
	Partitions int32
	Exists     bool
	Leaders    []Leader // by partition
}

// A Leader is the broker that serves a partition, since the leader epoch Epoch.
// Node is -1 while there is none.
type Leader struct {
	Node  int32
	Epoch int32
}

// Describe asks a broker, past all caches, about topics. Every name is in the
// result.
func Describe(ctx context.Context, cl *kgo.Client, names []string) (map[string]Topic, error) {
	var topics map[string]Topic
	err := retry(ctx, transient, func() (err error) {
		topics, err = describe(ctx, cl, names)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	return topics, nil
}

// ListTopics returns the names of all topics that the client may know of, but for those
// that are internal to Kafka.
func ListTopics(ctx context.Context, cl *kgo.Client) (names []string, err error) {
	err = retry(ctx, transient, func() error {
		req := kmsg.NewPtrMetadataRequest() // names none: all
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		names = names[:0]
		for _, t := range resp.Topics {
			if t.Topic != nil && t.ErrorCode == 0 && !t.IsInternal {
				names = append(names, *t.Topic)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

func describe(ctx context.Context, cl *kgo.Client, names []string) (map[string]Topic, error) {
	topics := make(map[string]Topic, len(names))
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // nil would ask for all
	for _, name := range names {
		if _, dup := topics[name]; dup {
			continue
		}
		topics[name] = Topic{}
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", *t.Topic, err)
		}
		topics[*t.Topic] = topic(t)
	}
	return topics, nil
}

func topic(t kmsg.MetadataResponseTopic) Topic {
	leaders := make([]Leader, len(t.Partitions))
	for i := range leaders {
		leaders[i].Node = -1
	}
	for _, p := range t.Partitions {
		if int(p.Partition) < len(leaders) && p.ErrorCode == 0 {
			leaders[p.Partition] = Leader{p.Leader, p.LeaderEpoch}
		}
	}
	return Topic{ID: t.TopicID, Partitions: int32(len(leaders)), Exists: true, Leaders: leaders}
}

// A TopicSpec says how to create a topic.
type TopicSpec struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16 // -1 is the brokers' default
	Configs           map[string]string
}

// Create creates topics and returns when each can be seen with a leader of
// every partition. It is content with one that exists already, say because
// another instance was faster, if that has as many partitions; its
// configuration is left as it is. All topics that cannot be had are reported.
func Create(ctx context.Context, cl *kgo.Client, specs []TopicSpec) error {
	left := slices.Clone(specs)
	var refused []error
	err := retry(ctx, transient, func() (err error) {
		var no []error
		left, no, err = create(ctx, cl, left)
		refused = append(refused, no...)
		return err
	})
	if err = errors.Join(append(refused, err)...); err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	return awaitTopics(ctx, cl, specs)
}

// create returns what is left to try, what was refused for good, and why the
// rest was not created.
func create(ctx context.Context, cl *kgo.Client, specs []TopicSpec) (left []TopicSpec, refused []error, err error) {
	if len(specs) == 0 {
		return nil, nil, nil
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(requestTimeout.Milliseconds())
	for _, s := range specs {
		req.Topics = append(req.Topics, s.request())
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return specs, nil, err
	}
	for _, t := range resp.Topics {
		e := kerr.ErrorForCode(t.ErrorCode)
		if e == nil || errors.Is(e, kerr.TopicAlreadyExists) {
			continue
		}
		if e = fmt.Errorf("%s: %w", t.Topic, e); t.ErrorMessage != nil {
			e = fmt.Errorf("%w: %s", e, *t.ErrorMessage)
		}
		if !transient(e) {
			refused = append(refused, e)
			continue
		}
		err = e
		if i := slices.IndexFunc(specs, func(s TopicSpec) bool { return s.Name == t.Topic }); i >= 0 {
			left = append(left, specs[i])
		}
	}
	return left, refused, err
}

func (s TopicSpec) request() kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = s.Name, s.Partitions, s.ReplicationFactor
	for _, key := range slices.Sorted(maps.Keys(s.Configs)) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, kmsg.StringPtr(s.Configs[key])
		t.Configs = append(t.Configs, c)
	}
	return t
}

// awaitTopics returns when all topics are there as specified, or if one of them
// is there as something else.
func awaitTopics(ctx context.Context, cl *kgo.Client, specs []TopicSpec) error {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	return retry(ctx, func(err error) bool { return errors.Is(err, errNotYet) }, func() error {
		topics, err := Describe(ctx, cl, names)
		if err != nil {
			return err
		}
		var wrong, missing []error
		for _, s := range specs {
			t := topics[s.Name]
			if t.Exists && t.Partitions != s.Partitions {
				wrong = append(wrong, fmt.Errorf("topic %s exists with %d partitions, but needs %d", s.Name, t.Partitions, s.Partitions))
			} else if !t.Exists || slices.ContainsFunc(t.Leaders, func(l Leader) bool { return l.Node < 0 }) {
				missing = append(missing, fmt.Errorf("%w: %s", errNotYet, s.Name))
			}
		}
		if len(wrong) > 0 {
			return errors.Join(wrong...)
		}
		return errors.Join(missing...)
	})
}

// purgeTries is how often Purge tries: a leader may have moved. There will be
// another purge; one that waits for a leader would only hold up the others.
const purgeTries = 3

// Purge deletes the records below the given offsets. What is gone already is no
// error. All partitions are tried; the error tells of those that it did not
// work for.
func Purge(ctx context.Context, cl *kgo.Client, upTo map[TopicPartition]int64) error {
	left := maps.Clone(upTo)
	tries := 0
	again := func(error) bool { tries++; return tries < purgeTries } // whatever it is: it may concern one partition of many
	err := retry(ctx, again, func() error {
		err := purge(ctx, cl, left)
		if err != nil {
			forget(ctx, cl, slices.Collect(maps.Keys(left)))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	return nil
}

// purge tries once, and removes what is done from left.
func purge(ctx context.Context, cl *kgo.Client, left map[TopicPartition]int64) error {
	if len(left) == 0 {
		return nil
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = int32(requestTimeout.Milliseconds())
	for topic, numbers := range byTopic(maps.Keys(left)) {
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic = topic
		for _, n := range numbers {
			p := kmsg.NewDeleteRecordsRequestTopicPartition()
			p.Partition, p.Offset = n, left[TopicPartition{topic, n}]
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	var errs []error
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			errs = append(errs, shard.Err)
			continue
		}
		for _, t := range shard.Resp.(*kmsg.DeleteRecordsResponse).Topics {
			for _, p := range t.Partitions {
				tp := TopicPartition{t.Topic, p.Partition}
				err := kerr.ErrorForCode(p.ErrorCode)
				if err == nil || errors.Is(err, kerr.OffsetOutOfRange) { // retention or somebody else was faster
					delete(left, tp)
				} else {
					errs = append(errs, &PartitionError{tp, err})
				}
			}
		}
	}
	return errors.Join(errs...)
}

// The configurations of internal topics are those that Kafka Streams gives them.
const (
	// The brokers keep tombstones of a windowed or versioned store's changelog
	// for a day longer than the store keeps its records, since clocks and
	// stream time differ.
	changelogSlack = 24 * time.Hour

	repartitionSegmentBytes = 50 << 20 // small: a purge frees whole segments
)

// ChangelogConfig is the configuration of the changelog of a key-value store.
func ChangelogConfig() map[string]string {
	return map[string]string{
		"cleanup.policy":         "compact",
		"message.timestamp.type": "CreateTime",
	}
}

// WindowChangelogConfig is that of a store that keeps windows for retention.
func WindowChangelogConfig(retention time.Duration) map[string]string {
	return map[string]string{
		"cleanup.policy":         "compact,delete",
		"retention.ms":           millis(retention + changelogSlack),
		"message.timestamp.type": "CreateTime",
	}
}

// VersionedChangelogConfig is that of a store that keeps a history of versions.
func VersionedChangelogConfig(history time.Duration) map[string]string {
	return map[string]string{
		"cleanup.policy":         "compact",
		"min.compaction.lag.ms":  millis(history + changelogSlack),
		"message.timestamp.type": "CreateTime",
	}
}

// RepartitionConfig is that of a repartition topic: nothing is deleted but what
// is purged after it was processed.
func RepartitionConfig() map[string]string {
	return map[string]string{
		"cleanup.policy":         "delete",
		"segment.bytes":          strconv.Itoa(repartitionSegmentBytes),
		"retention.ms":           "-1",
		"message.timestamp.type": "CreateTime",
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
