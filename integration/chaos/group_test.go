package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// settled waits until n members share all partitions.
func (tr *trial) settled(n int) error {
	return tr.await(func(ctx context.Context) error {
		g, err := tr.group(ctx)
		if err != nil {
			return err
		}
		total := 0
		for _, m := range g.Members {
			total += len(held(m, tr.app+events))
		}
		if len(g.Members) != n || total != partitions {
			return fmt.Errorf("%d members of the group have %d partitions of %d", len(g.Members), total, partitions)
		}
		return nil
	})
}

// group describes the application's group, which must be at rest.
func (tr *trial) group(ctx context.Context) (kadm.DescribedGroup, error) {
	groups, err := tr.topics.Admin.DescribeGroups(ctx, tr.app)
	if err != nil {
		return kadm.DescribedGroup{}, err
	}
	g := groups[tr.app]
	if g.State != "Stable" {
		return g, errors.Join(fmt.Errorf("the group is %q", g.State), g.Err)
	}
	return g, nil
}

// held are the partitions of a topic that a member has.
func held(m kadm.DescribedGroupMember, topic string) []int32 {
	assigned, _ := m.Assigned.AsConsumer()
	if assigned == nil {
		return nil
	}
	for _, t := range assigned.Topics {
		if t.Topic == topic {
			return t.Partitions
		}
	}
	return nil
}

func is(m kadm.DescribedGroupMember, name string) bool {
	return m.InstanceID != nil && *m.InstanceID == name
}

// heldBy are the partitions that a replica has, of topics that are written to all the time.
func (tr *trial) heldBy(name string) (kadm.OffsetsList, error) {
	var all kadm.OffsetsList
	err := tr.await(func(ctx context.Context) error {
		g, err := tr.group(ctx)
		if err != nil {
			return err
		}
		all = nil
		for _, m := range g.Members {
			for _, topic := range append([]string{regrouped}, inputs...) {
				for _, p := range held(m, tr.app+topic) {
					if is(m, name) {
						all = append(all, kadm.Offset{Topic: tr.app + topic, Partition: p})
					}
				}
			}
		}
		if len(all) == 0 {
			return errors.New("it has no partitions")
		}
		return nil
	})
	return all, err
}

// succeeded waits until a replica is no member any more and others have committed in all that it had. It returns when
// that was seen.
func (tr *trial) succeeded(name string, had kadm.OffsetsList) (begun time.Time, err error) {
	err = tr.await(func(ctx context.Context) error {
		g, err := tr.group(ctx)
		if err != nil {
			return err
		}
		for _, m := range g.Members {
			if is(m, name) {
				return errors.New("it is a member still")
			}
		}
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	err = tr.advanced(had)
	return time.Now(), err
}

// advanced waits until the group commits in all of some partitions.
func (tr *trial) advanced(in kadm.OffsetsList) error {
	before, err := tr.committed()
	if err != nil {
		return err
	}
	return tr.await(func(ctx context.Context) error {
		now, err := tr.topics.Admin.FetchOffsets(ctx, tr.app)
		if err != nil {
			return err
		}
		for _, o := range in {
			was, _ := before.Lookup(o.Topic, o.Partition)
			if is, _ := now.Lookup(o.Topic, o.Partition); is.At <= was.At {
				return fmt.Errorf("nothing is committed in %s[%d], from %d on: %s", o.Topic, o.Partition, is.At, tr.ahead(ctx, o, is.At))
			}
		}
		return nil
	})
}

// ahead says what there is in a partition from an offset on.
func (tr *trial) ahead(ctx context.Context, o kadm.Offset, from int64) string {
	ends, err := tr.topics.Admin.ListEndOffsets(ctx, o.Topic)
	if err != nil {
		return err.Error()
	}
	end, _ := ends.Lookup(o.Topic, o.Partition)
	return fmt.Sprintf("%d records", end.Offset-from)
}

func (tr *trial) committed() (kadm.OffsetResponses, error) {
	var all kadm.OffsetResponses
	err := tr.await(func(ctx context.Context) (err error) {
		all, err = tr.topics.Admin.FetchOffsets(ctx, tr.app)
		return errors.Join(err, all.Error())
	})
	return all, err
}

// drained waits until everything is processed that was written: the group has committed the ends of all inputs, as they
// are now.
func (tr *trial) drained(end time.Time) error {
	var ends kadm.ListedOffsets
	err := tr.awaitUntil(end, func(ctx context.Context) (err error) {
		ends, err = tr.topics.Admin.ListEndOffsets(ctx, tr.names(inputs)...)
		return errors.Join(err, ends.Error())
	})
	if err != nil {
		return err
	}
	if err := tr.feed.end(tr.ctx); err != nil {
		return err
	}
	if err := tr.reached(end, ends); err != nil {
		return err
	}
	err = tr.awaitUntil(end, func(ctx context.Context) (err error) {
		ends, err = tr.topics.Admin.ListEndOffsets(ctx, tr.app+regrouped)
		return errors.Join(err, ends.Error())
	})
	if err != nil {
		return err
	}
	return tr.reached(end, ends)
}

func (tr *trial) names(topics []string) (names []string) {
	for _, topic := range topics {
		names = append(names, tr.app+topic)
	}
	return names
}

// reached waits until the group has committed offsets.
func (tr *trial) reached(end time.Time, offsets kadm.ListedOffsets) error {
	return tr.awaitUntil(end, func(ctx context.Context) error {
		committed, err := tr.topics.Admin.FetchOffsets(ctx, tr.app)
		if err != nil {
			return err
		}
		offsets.Each(func(o kadm.ListedOffset) {
			if c, _ := committed.Lookup(o.Topic, o.Partition); c.At < o.Offset && err == nil {
				err = fmt.Errorf("%s[%d] is processed up to %d of %d", o.Topic, o.Partition, c.At, o.Offset)
			}
		})
		return err
	})
}

// behind is how many records a partition may lag without being mentioned.
const behind = 300

// picture is what may keep results from coming: a group that is not at rest, partitions without a leader, transactions
// that are open.
func (tr *trial) picture(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	g, err := tr.group(ctx)
	what := []string{fmt.Sprintf("%d members, state %q (%v)", len(g.Members), g.State, err)}
	names := tr.names(append(append([]string{regrouped}, inputs...), outputs...))
	topics, err := tr.topics.Admin.ListTopics(ctx, names...)
	if err != nil {
		return strings.Join(append(what, err.Error()), "; ")
	}
	topics.EachPartition(func(p kadm.PartitionDetail) {
		if p.Err != nil || p.Leader < 0 {
			what = append(what, fmt.Sprintf("%s[%d] is led by %d, in sync are %v (%v)", p.Topic, p.Partition, p.Leader, p.ISR, p.Err))
		}
	})
	ends, err := tr.topics.Admin.ListEndOffsets(ctx, names...)
	stable, stableErr := tr.topics.Admin.ListCommittedOffsets(ctx, names...)
	if err := errors.Join(err, stableErr); err != nil {
		return strings.Join(append(what, err.Error()), "; ")
	}
	stable.Each(func(o kadm.ListedOffset) {
		if end, _ := ends.Lookup(o.Topic, o.Partition); o.Err != nil || o.Offset < end.Offset {
			what = append(what, fmt.Sprintf("%s[%d] is open since %d of %d (%v)", o.Topic, o.Partition, o.Offset, end.Offset, o.Err))
		}
	})
	committed, err := tr.topics.Admin.FetchOffsets(ctx, tr.app)
	if err != nil {
		return strings.Join(append(what, err.Error()), "; ")
	}
	committed.Each(func(o kadm.OffsetResponse) {
		if end, ok := ends.Lookup(o.Topic, o.Partition); ok && end.Offset-o.At > behind {
			what = append(what, fmt.Sprintf("%s[%d] is processed up to %d of %d", o.Topic, o.Partition, o.At, end.Offset))
		}
	})
	return strings.Join(what, "; ")
}
