package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
)

// A Target is where an application is to go on from.
type Target struct {
	Kind TargetKind
	At   time.Time // of Datetime
}

// TargetKind says what kind of place a Target is.
type TargetKind int8

const (
	Earliest TargetKind = iota
	Latest
	Datetime // the first record of that time or later
	Nowhere  // offsets are deleted: sources say where they begin
)

func (t Target) String() string {
	if t.Kind == Datetime {
		return t.At.Format(time.RFC3339)
	}
	return [...]string{"earliest", "latest", "", "no offset"}[t.Kind]
}

// A Move is what becomes of one committed offset.
type Move struct {
	Topic     string
	Partition int32
	From, To  int64 // -1: none
}

// A Plan is what a reset would do, and does if it is executed.
type Plan struct {
	Moves     []Move
	Topics    []string // internal ones, to be deleted
	Strangers []string // topics that look like internal ones and are not of this topology; they stay
	Members   []string // that are in the group
	Remains   error    // why a start will be refused all the same, or nil

	app    *Application
	inputs []Move // Moves, and offsets that are where they are to be
}

// ErrActive is wrapped by the error of a reset of a group that has members.
var ErrActive = errors.New("the group has members")

// Reset plans to make an application go on from a target. Its internal topics go with the
// state that they hold, unless keepState. It needs no topic to have as many partitions as
// a start does, but to know all sources.
func (a *Application) Reset(ctx context.Context, to Target, keepState bool) (*Plan, error) {
	p := &Plan{app: a, Remains: a.Faults}
	if errors.Is(a.Faults, layout.ErrNoTopic) {
		return nil, a.Faults
	}
	if keepState {
		p.Remains = errors.Join(a.Faults, a.Misfits)
	}
	internal := map[string]bool{}
	for _, t := range a.layout.Internal {
		internal[t.Name] = true
		if a.topics.Has(t.Name) && !keepState {
			p.Topics = append(p.Topics, t.Name)
		}
	}
	slices.Sort(p.Topics)
	for _, name := range a.topics.Names() {
		if layout.LooksInternal(a.Name, name) && !internal[name] {
			p.Strangers = append(p.Strangers, name)
		}
	}
	targets, err := a.resolve(ctx, to)
	if err != nil {
		return nil, err
	}
	at, err := a.positions(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range at {
		if internal[m.Topic] && keepState {
			continue // what waits there is still to be processed
		}
		if o, ok := targets.Lookup(m.Topic, m.Partition); ok && !internal[m.Topic] {
			m.To = o.Offset
		}
		if p.inputs = append(p.inputs, m); m.From != m.To {
			p.Moves = append(p.Moves, m)
		}
	}
	group, err := a.group(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range group.Members {
		p.Members = append(p.Members, nameOf(m)+" at "+m.ClientHost)
	}
	return p, nil
}

// positions are the partitions that tasks read, each with its committed offset, and those
// that a topic has lost and the group still has an offset for.
func (a *Application) positions(ctx context.Context) (at []Move, err error) {
	committed, err := a.committed(ctx)
	if err != nil {
		return nil, err
	}
	for _, sub := range a.layout.Subs {
		for i, topic := range sub.Topics {
			n := sub.Counts[i]
			for p := range committed[topic] {
				n = max(n, p+1)
			}
			for p := range n {
				m := Move{topic, p, -1, -1}
				if o, ok := committed.Lookup(topic, p); ok {
					if o.Err != nil {
						return nil, fmt.Errorf("committed offset of %s[%d]: %w", topic, p, o.Err)
					}
					m.From = o.At
				}
				at = append(at, m)
			}
		}
	}
	return at, nil
}

// resolve finds the offsets of the source topics that a target stands for.
func (a *Application) resolve(ctx context.Context, to Target) (listed kadm.ListedOffsets, err error) {
	topics := a.inputs()
	switch to.Kind {
	case Earliest:
		listed, err = a.cl.ListStartOffsets(ctx, topics...)
	case Latest:
		listed, err = a.cl.ListCommittedOffsets(ctx, topics...)
	case Datetime:
		listed, err = a.cl.ListOffsetsAfterMilli(ctx, to.At.UnixMilli(), topics...)
	}
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of %v: %w", to, err)
	}
	return listed, nil
}

// Execute does what the plan says. A group with members is left alone, unless they are to
// be removed from it: those that run come back at once, and may undo what is done here.
//
// It may end anywhere: a broker may refuse a step, or this process die. State must not meet
// offsets that it does not belong to, which no start could see. So the offsets go first,
// all at once: state without offsets is refused. Next go repartition topics: what waits
// there is written again by tasks that begin anew. Then changelogs, and only when nothing is
// left of the old are offsets set to the target.
func (p *Plan) Execute(ctx context.Context, removeMembers bool) error {
	if len(p.Members) > 0 && !removeMembers {
		return fmt.Errorf("%w, %s: stop them, or wait until their session times out", ErrActive, strings.Join(p.Members, ", "))
	}
	if err := p.allowed(ctx); err != nil {
		return err
	}
	if len(p.Members) > 0 {
		if err := p.removeMembers(ctx); err != nil {
			return err
		}
	}
	if len(p.Topics) == 0 {
		return errors.Join(p.setOffsets(ctx, p.Moves), p.deleteOffsets(ctx, p.Moves))
	}
	now, err := p.stable(ctx)
	if err != nil {
		return err
	}
	if err := p.deleteOffsets(ctx, now); err != nil {
		return err
	}
	const again = "the application has no offsets now: a start is refused as long as there is state, else it begins anew; see to it, and reset again"
	for _, kind := range []layout.Kind{layout.Repartition, layout.Changelog} {
		if err := p.deleteTopics(ctx, kind); err != nil {
			return fmt.Errorf("%w: %s", err, again)
		}
	}
	if err := p.setOffsets(ctx, p.inputs); err != nil {
		return fmt.Errorf("%w: %s", err, again)
	}
	return nil
}

// patience is how long a reset waits for transactions to end. Those of processes that were
// killed end when they time out.
const patience = time.Minute

// stable are the positions as they are when no transaction is open that may move them: a
// member may have committed since the plan was made, or have been killed while it did.
func (p *Plan) stable(ctx context.Context) (now []Move, err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for failures := 1; ; failures++ {
		now, err = p.app.positions(kadm.RequireStable(ctx))
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			return now, err
		}
		if kafka.Sleep(waiting, kafka.Backoff(failures)) != nil {
			return nil, fmt.Errorf("a transaction of the application is open, and does not end: %w: see with Kafka's kafka-transactions tool who has it", err)
		}
	}
}

// setOffsets sets the offsets that are to be somewhere.
func (p *Plan) setOffsets(ctx context.Context, moves []Move) error {
	set := kadm.Offsets{}
	for _, m := range moves {
		if m.To >= 0 {
			set.AddOffset(m.Topic, m.Partition, m.To, -1)
		}
	}
	if len(set) == 0 {
		return nil
	}
	if err := p.app.cl.CommitAllOffsets(ctx, p.app.Name, set); err != nil {
		return fmt.Errorf("set offsets: %w", err)
	}
	return nil
}

// deleteOffsets deletes the offsets that are somewhere and to be nowhere.
func (p *Plan) deleteOffsets(ctx context.Context, moves []Move) error {
	gone := kadm.TopicsSet{}
	for _, m := range moves {
		if m.From >= 0 && m.To < 0 {
			gone.Add(m.Topic, m.Partition)
		}
	}
	done, err := p.app.cl.DeleteOffsets(ctx, p.app.Name, gone)
	if err != nil {
		return fmt.Errorf("delete offsets: %w", err)
	}
	for topic, partitions := range done {
		for n, err := range partitions {
			if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) { // it went with its topic
				return fmt.Errorf("delete the offset of %s[%d]: %w", topic, n, err)
			}
		}
	}
	return nil
}

// deleteTopics deletes the internal topics of a kind.
func (p *Plan) deleteTopics(ctx context.Context, kind layout.Kind) error {
	var names []string
	for _, t := range p.app.layout.Internal {
		if t.Kind == kind && slices.Contains(p.Topics, t.Name) {
			names = append(names, t.Name)
		}
	}
	done, err := p.app.cl.DeleteTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("delete %s topics: %w", kind, err)
	}
	for _, t := range done.Sorted() {
		if t.Err != nil && !errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete %s topic %s: %w", kind, t.Topic, t.Err)
		}
	}
	return nil
}

func (p *Plan) removeMembers(ctx context.Context) error {
	a := p.app
	group, err := a.group(ctx)
	if err != nil {
		return err
	}
	leave := kadm.LeaveGroup(a.Name).Reason("the application is reset")
	var instances []string
	for _, m := range group.Members {
		if m.InstanceID != nil {
			instances = append(instances, *m.InstanceID)
		}
	}
	left, err := a.cl.LeaveGroup(ctx, leave.InstanceIDs(instances...))
	if err == nil {
		err = left.Error()
	}
	if err != nil {
		return fmt.Errorf("remove members: %w", err)
	}
	return nil
}
