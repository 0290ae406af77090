package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

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

	app *Application
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
		if m.From != m.To {
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
func (p *Plan) Execute(ctx context.Context, removeMembers bool) error {
	a := p.app
	if len(p.Members) > 0 && !removeMembers {
		return fmt.Errorf("%w, %s: stop them, or wait until their session times out", ErrActive, strings.Join(p.Members, ", "))
	}
	if len(p.Members) > 0 {
		if err := p.removeMembers(ctx); err != nil {
			return err
		}
	}
	set, gone := kadm.Offsets{}, kadm.TopicsSet{}
	for _, m := range p.Moves {
		if m.To >= 0 {
			set.AddOffset(m.Topic, m.Partition, m.To, -1)
		} else {
			gone.Add(m.Topic, m.Partition)
		}
	}
	if len(gone) > 0 {
		done, err := a.cl.DeleteOffsets(ctx, a.Name, gone)
		if err == nil {
			err = done.Error()
		}
		if err != nil {
			return fmt.Errorf("delete offsets: %w", err)
		}
	}
	if len(set) > 0 {
		if err := a.cl.CommitAllOffsets(ctx, a.Name, set); err != nil {
			return fmt.Errorf("set offsets: %w", err)
		}
	}
	if len(p.Topics) == 0 {
		return nil
	}
	done, err := a.cl.DeleteTopics(ctx, p.Topics...)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		return fmt.Errorf("delete internal topics: %w", err)
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
