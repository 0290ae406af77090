package task

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/leatstream/leat/internal/state"
)

// shapeOf says what tasks mean to the group and to what is kept: what each reads, keeps
// and feeds, a line for each, to be read by people and compared by programs. Nodes that
// keep nothing are not in it.
func shapeOf(p *Plan) (lines []string) {
	for _, sub := range p.Subs {
		add := func(format string, args ...any) {
			lines = append(lines, fmt.Sprintf("sub-topology %d ", sub.ID)+fmt.Sprintf(format, args...))
		}
		for _, s := range sub.Sources {
			partitions := ""
			if s.Partitions > 0 {
				partitions = fmt.Sprintf(" with %d partitions", s.Partitions)
			}
			add("reads %s%s", s.Topic, partitions)
		}
		for _, s := range sub.Stores {
			add("keeps %s as %s", s.Name, s.form())
		}
		for _, s := range sub.Sinks {
			if s.Topic.Internal {
				add("feeds %s", s.Topic)
			}
		}
	}
	for _, g := range p.Globals {
		line := fmt.Sprintf("each process keeps %s whole, from %s", g.Store, g.Topic)
		if g.Make != nil {
			line += ", by code"
		}
		lines = append(lines, line)
	}
	return lines
}

// form is what is kept, and where it is restored from.
func (s Store) form() string {
	layout := s.Layout
	if layout == nil {
		layout = state.Plain{}
	}
	form := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", layout), "state."))
	switch {
	case s.Source.Name != "":
		return form + " from " + s.Source.String()
	case s.Logged:
		return form + " with a changelog"
	}
	return form + " without a changelog"
}

// String is as a person would name the topic.
func (t Topic) String() string {
	if t.Internal {
		return "repartition topic " + t.Name
	}
	return t.Name
}

// ShapeOfStore reads a line of a plan's shape that is of a store.
func ShapeOfStore(line string) (store, form string, ok bool) {
	_, rest, ok := strings.Cut(line, " keeps ")
	if !ok {
		return "", "", false
	}
	store, form, ok = strings.Cut(rest, " as ")
	return store, form, ok
}

// Seal computes what is derived from the rest of a plan: its shape and its fingerprint.
func (p *Plan) Seal() {
	p.Shape = shapeOf(p)
	sum := sha256.Sum256([]byte(strings.Join(p.Shape, "\n")))
	p.Fingerprint = hex.EncodeToString(sum[:8])
}
