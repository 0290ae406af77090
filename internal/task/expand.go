package task

import (
	"errors"
	"fmt"
	"slices"
)

// Patterned reports whether the plan reads topics by a pattern.
func (p *Plan) Patterned() bool {
	return slices.ContainsFunc(p.Subs, (*Sub).patterned)
}

func (s *Sub) patterned() bool {
	return slices.ContainsFunc(s.Sources, func(s Source) bool { return s.Pattern != nil })
}

// DeadLetters returns the plan for an application whose dead letters go to a topic: no
// pattern matches it then. One that the plan reads itself is refused. No topic is none.
func (p *Plan) DeadLetters(app, topic string) (*Plan, error) {
	if p.reads(app)[topic] {
		return nil, fmt.Errorf("the topology reads the dead-letter topic %q: what failed would come back, to fail again and again; write dead letters to another topic, and read that by another application", topic)
	}
	out := *p
	out.deadLetters = topic
	return &out, nil
}

// Expand returns the plan with each pattern replaced by the topics that match it,
// but for those that the plan names itself, that of dead letters and those of Kafka's
// own, and the patterns that none matches.
func (p *Plan) Expand(app string, topics []string) (expanded *Plan, unmatched []string) {
	out := *p
	out.Subs = nil
	named := p.names(app)
	topics = slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return named[t] || t == p.deadLetters || len(t) > 1 && t[:2] == "__" })
	slices.Sort(topics)
	alone := 1 << 20 // groups of one topic, which the builder never numbers so high
	for _, sub := range p.Subs {
		if !sub.patterned() {
			out.Subs = append(out.Subs, sub)
			continue
		}
		s := *sub
		s.Sources, s.Origins = nil, nil
		for i, src := range sub.Sources {
			all := src.matching(topics)
			if len(all) == 0 {
				unmatched = append(unmatched, src.Pattern.String())
			}
			for _, one := range all {
				if src.Pattern != nil && !src.Keyed {
					one.Group, alone = alone, alone+1
				}
				s.Sources, s.Origins = append(s.Sources, one), append(s.Origins, i)
			}
		}
		out.Subs = append(out.Subs, &s)
	}
	return &out, unmatched
}

// Twice returns an error that names the topics which two sources read: a partition has one
// owner, and its records one place among a task's inputs.
func (p *Plan) Twice(app string) error {
	var errs []error
	by := map[string]string{}
	for _, sub := range p.Subs {
		for _, src := range sub.Sources {
			topic := src.Topic.Resolve(app)
			if other, ok := by[topic]; ok {
				errs = append(errs, fmt.Errorf("topic %q is read as %q and as %q: make one pattern of two that match it", topic, other, src.Node))
			}
			by[topic] = src.Node
		}
	}
	return errors.Join(errs...)
}

// matching is the source itself, or one for each topic that matches its pattern.
func (s Source) matching(topics []string) (out []Source) {
	if s.Pattern == nil {
		return []Source{s}
	}
	re := s.Pattern
	s.Pattern = nil
	for _, t := range topics {
		if re.MatchString(t) {
			s.Topic = Topic{Name: t}
			out = append(out, s)
		}
	}
	return out
}

// names are the topics that the plan names.
func (p *Plan) names(app string) map[string]bool {
	out := p.reads(app)
	for _, sub := range p.Subs {
		for _, s := range sub.Sinks {
			out[s.Topic.Resolve(app)] = true
		}
	}
	return out
}

// reads are the topics that the plan reads by their names, those that stores are restored
// from among them.
func (p *Plan) reads(app string) map[string]bool {
	out := map[string]bool{}
	for _, g := range p.Globals {
		out[g.Topic] = true
	}
	for _, sub := range p.Subs {
		for _, s := range sub.Sources {
			out[s.Topic.Resolve(app)] = true
		}
		for _, s := range sub.Stores {
			if topic, _, ok := s.Changelog(app); ok {
				out[topic] = true
			}
		}
	}
	return out
}
