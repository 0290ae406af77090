// Package layout decides, from a plan and the partition counts of the topics that
// exist, which tasks there are and which internal topics they need. It is pure
// arithmetic: it asks no broker.
package layout

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/task"
)

// A Layout is a plan laid over topics.
type Layout struct {
	Subs     []Sub
	Internal []Topic
}

// A Sub is a sub-topology with its number of tasks.
type Sub struct {
	*task.Sub
	Topics     []string // that it reads, as named in Kafka, in the order of its sources
	Counts     []int32  // partitions of each of Topics
	Partitions int32    // tasks: the most partitions that any of Topics has
}

// Inputs are the sources that have a partition for the task of that number, by index, and
// their topics: a task reads nothing of those that have fewer.
func (s *Sub) Inputs(partition int32) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i, topic := range s.Topics {
			if partition < s.Counts[i] && !yield(i, topic) {
				return
			}
		}
	}
}

// A Kind says what an internal topic is for.
type Kind int8

const (
	Repartition Kind = iota
	Changelog
)

func (k Kind) String() string {
	if k == Changelog {
		return "changelog"
	}
	return "repartition"
}

// A Topic is an internal topic that must exist.
type Topic struct {
	Name       string
	Kind       Kind
	Partitions int32
	Configs    map[string]string
}

// LooksInternal reports whether a topic has a name as internal topics of an application
// have.
func LooksInternal(app, topic string) bool {
	return strings.HasPrefix(topic, app+"-") && (strings.HasSuffix(topic, "-changelog") || strings.HasSuffix(topic, "-repartition"))
}

// ErrNoTopic is wrapped by the error for a source topic that does not exist.
var ErrNoTopic = errors.New("does not exist")

// Resolve lays plan over topics. counts holds the partition counts of the topics
// that exist; missing source topics and counts that do not fit are reported all at
// once. The layout is there in any case, as far as it goes: what is missing has no
// partitions. Which counts internal topics have does not matter: Misfits tells of those.
func Resolve(plan *task.Plan, app string, counts map[string]int32) (*Layout, error) {
	r := resolver{plan: plan, app: app, counts: counts, internal: map[string]int32{}}
	r.checkSources()
	r.sizeRepartitions()
	if len(r.errs) == 0 { // else the rest would be consequences
		r.checkRepartitions()
		r.checkGroups()
	}
	return r.layout(), errors.Join(r.errs...)
}

// Misfits tells of internal topics that exist with other partition counts than they need.
func (l *Layout) Misfits(counts map[string]int32) error {
	var errs []error
	for _, t := range l.Internal {
		have := counts[t.Name]
		if have == 0 || have == t.Partitions {
			continue
		}
		cure := "reset the application, which deletes the topic"
		if t.Kind == Repartition {
			cure += fmt.Sprintf("; or fix its count with Partitions(%d)", have)
		}
		errs = append(errs, fmt.Errorf("%s topic %q has %d partitions and needs %d: the source topic's count has changed, or another topology has used this application name; %s", t.Kind, t.Name, have, t.Partitions, cure))
	}
	return errors.Join(errs...)
}

type resolver struct {
	plan     *task.Plan
	app      string
	counts   map[string]int32 // of the topics that exist
	internal map[string]int32 // of repartition topics, as they must be
	errs     []error
}

func (r *resolver) fail(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

func (r *resolver) sources(fn func(*task.Sub, task.Source, string)) {
	for _, sub := range r.plan.Subs {
		for _, s := range sub.Sources {
			fn(sub, s, s.Topic.Resolve(r.app))
		}
	}
}

func (r *resolver) checkSources() {
	r.sources(func(_ *task.Sub, s task.Source, name string) {
		if !s.Topic.Internal && r.counts[name] == 0 {
			r.fail("source topic %q %w: create it, or correct the name", name, ErrNoTopic)
		}
	})
	for _, g := range r.plan.Globals {
		if r.counts[g.Topic] == 0 {
			r.fail("topic %q of the global table %q %w: create it, or correct the name", g.Topic, g.Store, ErrNoTopic)
		}
	}
}

// sizeRepartitions gives each repartition topic as many partitions as its author
// fixed, else as its co-partitioned source topics have, else as another repartition
// topic of the group was fixed to, else the most that the topics above the group's
// writers have. Topics that feed each other settle in a few rounds.
func (r *resolver) sizeRepartitions() {
	for range r.plan.Subs {
		r.sources(func(sub *task.Sub, s task.Source, name string) {
			if !s.Topic.Internal {
				return
			}
			n := s.Partitions
			if n == 0 {
				n = r.external(s.Group)
			}
			if n == 0 {
				n = r.group(s.Group)
			}
			r.internal[name] = max(n, r.internal[name])
		})
	}
}

func (r *resolver) checkRepartitions() {
	r.sources(func(_ *task.Sub, s task.Source, name string) {
		if s.Topic.Internal && r.internal[name] == 0 {
			r.fail("repartition topic %q has nothing to take its partition count from: fix it with Partitions", name)
		}
	})
}

// external is the partition count of the source topics of a group; 0 if all of
// them are internal.
func (r *resolver) external(group int) (n int32) {
	r.sources(func(_ *task.Sub, s task.Source, name string) {
		if s.Group == group && !s.Topic.Internal {
			n = max(n, r.counts[name])
		}
	})
	return n
}

// group is the count that a group of nothing but repartition topics agrees on.
func (r *resolver) group(group int) (n int32) {
	fixed := int32(0)
	r.sources(func(_ *task.Sub, s task.Source, name string) {
		if s.Group == group {
			fixed = max(fixed, s.Partitions)
			n = max(n, r.above(name))
		}
	})
	return max(fixed, n*boolToInt(fixed == 0))
}

// above is the greatest partition count among the topics that the writers of a
// repartition topic read.
func (r *resolver) above(topic string) (n int32) {
	for _, sub := range r.plan.Subs {
		if !slices.ContainsFunc(sub.Sinks, func(s task.Sink) bool { return s.Topic.Internal && s.Topic.Resolve(r.app) == topic }) {
			continue
		}
		for _, s := range sub.Sources {
			name := s.Topic.Resolve(r.app)
			n = max(n, r.counts[name]*boolToInt(!s.Topic.Internal), r.internal[name])
		}
	}
	return n
}

func boolToInt(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// checkGroups finds co-partitioned sources whose counts differ.
func (r *resolver) checkGroups() {
	groups := map[int]map[string]int32{}
	r.sources(func(_ *task.Sub, s task.Source, name string) {
		n := r.counts[name]
		if s.Topic.Internal {
			n = r.internal[name]
		}
		if groups[s.Group] == nil {
			groups[s.Group] = map[string]int32{}
		}
		groups[s.Group][name] = n
	})
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		var text []string
		differ := map[int32]bool{}
		for _, name := range slices.Sorted(maps.Keys(groups[g])) {
			if n := groups[g][name]; n > 0 {
				differ[n] = true
				text = append(text, fmt.Sprintf("%s has %d", name, n))
			}
		}
		if len(differ) > 1 {
			r.fail("topics that are joined or counted together need equal partition counts, but %s: repartition one of them", strings.Join(text, ", "))
		}
	}
}

func (r *resolver) layout() *Layout {
	l := &Layout{}
	for _, sub := range r.plan.Subs {
		s := Sub{Sub: sub}
		for _, src := range sub.Sources {
			name := src.Topic.Resolve(r.app)
			n := r.counts[name]
			if src.Topic.Internal {
				n = r.internal[name]
				l.Internal = append(l.Internal, Topic{Name: name, Kind: Repartition, Partitions: n})
			}
			s.Topics, s.Counts = append(s.Topics, name), append(s.Counts, n)
			s.Partitions = max(s.Partitions, n)
		}
		for _, st := range sub.Stores {
			if name, own, ok := st.Changelog(r.app); ok && own {
				l.Internal = append(l.Internal, Topic{name, Changelog, s.Partitions, st.Configs})
			}
		}
		l.Subs = append(l.Subs, s)
	}
	return l
}
