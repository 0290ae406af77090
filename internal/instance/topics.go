package instance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
)

// prepareTopics lays the plan over the topics that exist, and creates the internal
// ones that are missing.
func (in *Instance) prepareTopics(ctx context.Context) (err error) {
	if err := in.expand(ctx); err != nil {
		return err
	}
	if in.topics, err = kafka.Describe(ctx, in.admin, in.topicNames()); err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	counts := map[string]int32{}
	for name, t := range in.topics {
		if t.Exists {
			counts[name] = t.Partitions
		}
	}
	l, err := layout.Resolve(in.cfg.Plan, in.cfg.App, counts)
	if err != nil {
		return err
	}
	in.mu.Lock() // Pause may be asking already
	in.layout = l
	in.mu.Unlock()
	missing, err := in.missing(counts)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := kafka.Create(ctx, in.admin, missing); err != nil {
			return fmt.Errorf("internal topics: %w", err)
		}
		for _, t := range missing {
			in.log.Info("created internal topic", "topic", t.Name, "partitions", t.Partitions)
		}
		if err := in.awaitTopics(ctx); err != nil {
			return err
		}
	}
	if err := in.checkCompacted(ctx); err != nil {
		return err
	}
	ids := map[string][16]byte{}
	for name, t := range in.topics {
		ids[name] = t.ID
	}
	in.group = &kafka.Group{Name: in.cfg.App, IDs: ids}
	in.logs = brokers{in.admin, in.group}
	return nil
}

// awaitTopics describes the topics until whichever broker is asked knows all of them.
func (in *Instance) awaitTopics(ctx context.Context) (err error) {
	for {
		if in.topics, err = kafka.Describe(ctx, in.admin, in.topicNames()); err != nil {
			return err
		}
		known := true
		for _, t := range in.topics {
			known = known && t.Exists
		}
		if known {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// topicNames are all topics that the plan names.
func (in *Instance) topicNames() (names []string) {
	for _, sub := range in.cfg.Plan.Subs {
		for _, s := range sub.Sources {
			names = append(names, s.Topic.Resolve(in.cfg.App))
		}
		for _, s := range sub.Sinks {
			if !s.Dynamic {
				names = append(names, s.Topic.Resolve(in.cfg.App))
			}
		}
		for _, s := range sub.Stores {
			if name, _, ok := s.Changelog(in.cfg.App); ok {
				names = append(names, name)
			}
		}
	}
	names = append(names, topicsOf(in.cfg.Plan.Globals)...)
	if dead := in.cfg.Policies.DeadLetterTopic; dead != "" {
		names = append(names, dead)
	}
	return names
}

// missing lists the internal topics to create. Topics that are the author's to
// create, and topics that exist with another partition count, are errors.
func (in *Instance) missing(counts map[string]int32) (specs []kafka.TopicSpec, err error) {
	errs := []error{in.layout.Misfits(counts)}
	internal := map[string]layout.Topic{}
	for _, t := range in.layout.Internal {
		internal[t.Name] = t
		switch {
		case in.topics[t.Name].Exists:
		case !in.cfg.CreateTopics:
			errs = append(errs, fmt.Errorf("%s topic %q does not exist and is not to be created: create it with %d partitions", t.Kind, t.Name, t.Partitions))
		default:
			specs = append(specs, in.spec(t))
		}
	}
	for name, t := range in.topics {
		if _, ours := internal[name]; !ours && !t.Exists {
			errs = append(errs, fmt.Errorf("topic %q does not exist: create it, or correct the name", name))
		}
	}
	return specs, errors.Join(errs...)
}

// checkCompacted refuses a source topic as a changelog unless it is compacted: else
// it forgets rows that the table must have.
func (in *Instance) checkCompacted(ctx context.Context) error {
	topics := map[string]bool{} // changelogs, and whether they are written by us alone
	for _, sub := range in.cfg.Plan.Subs {
		for _, s := range sub.Stores {
			if name, own, ok := s.Changelog(in.cfg.App); ok {
				topics[name] = own
			}
		}
	}
	configs, err := kafka.TopicConfigs(ctx, in.admin, slices.Collect(maps.Keys(topics)), cleanupPolicy, deletionsKept)
	if err != nil {
		return err
	}
	var errs []error
	in.tombstones = map[string]time.Duration{}
	for name, own := range topics {
		in.tombstones[name] = keepsDeletions(configs[name])
		switch policy := configs[name][cleanupPolicy]; {
		case own:
		case policy != "compact":
			errs = append(errs, fmt.Errorf("source topic %q serves as a changelog and has cleanup.policy=%s: set it to compact, or give the table a changelog of its own", name, policy))
		case in.cfg.Policies.Lenient():
			errs = append(errs, fmt.Errorf("source topic %q serves as a changelog, and records that fail are to be passed over: a restored table would have rows of theirs, or lack those before them; let such records fail, or give the table a changelog of its own", name))
		}
	}
	return errors.Join(errs...)
}

// deletionsKept is how long a compacted topic keeps a deletion: who has not read it by
// then may never hear of it.
const deletionsKept = "delete.retention.ms"

// keepsDeletions is deletionsKept of a topic's configuration, less some for clocks that
// differ.
func keepsDeletions(configs map[string]string) time.Duration {
	ms, _ := strconv.ParseInt(configs[deletionsKept], 10, 64)
	keeps := time.Duration(ms) * time.Millisecond
	if keeps <= 0 {
		keeps = 24 * time.Hour // Kafka's default
	}
	return keeps / 10 * 9
}

func (in *Instance) spec(t layout.Topic) kafka.TopicSpec {
	configs := kafka.RepartitionConfig()
	if t.Kind == layout.Changelog {
		configs = kafka.ChangelogConfig()
	}
	maps.Copy(configs, t.Configs)
	maps.Copy(configs, in.cfg.TopicConfigs[t.Name])
	return kafka.TopicSpec{Name: t.Name, Partitions: t.Partitions, ReplicationFactor: in.cfg.ReplicationFactor, Configs: configs}
}

// purgeInterval is how often what has been processed is deleted from repartition
// topics (repartition.purge.interval.ms in Kafka Streams).
const purgeInterval = 30 * time.Second

// purge deletes from the repartition topics what this process has committed.
func (in *Instance) purge(ctx context.Context) error {
	for range every(ctx, purgeInterval) {
		if upTo := in.purgeable(); len(upTo) > 0 {
			if err := kafka.Purge(ctx, in.admin, upTo); err != nil && ctx.Err() == nil {
				in.log.Warn("repartition topics could not be purged; they grow until that succeeds", "err", err)
			}
		}
	}
	return nil
}

// purgeable are the repartition partitions of this process's tasks and where they
// have been committed to.
func (in *Instance) purgeable() map[kafka.TopicPartition]int64 {
	internal := map[string]bool{}
	for _, t := range in.layout.Internal {
		internal[t.Name] = t.Kind == layout.Repartition
	}
	upTo := map[kafka.TopicPartition]int64{}
	for id, run := range in.running() {
		for _, p := range run.Committed() {
			if internal[p.Topic] && p.Offset > 0 {
				upTo[kafka.TopicPartition{Topic: p.Topic, Partition: id.Partition}] = p.Offset
			}
		}
	}
	return upTo
}
