package topology

import (
	"fmt"
	"slices"
	"strings"
)

// Mermaid draws the topology as a Mermaid flowchart: topics as cylinders on their
// side, nodes as boxes, stores as cylinders, a frame around each sub-topology.
func (t *Topology) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	topics := map[string]string{}
	topic := func(name string) string {
		id, ok := topics[name]
		if !ok {
			id = fmt.Sprintf("t%d", len(topics))
			topics[name] = id
			fmt.Fprintf(&b, "  %s[/%q/]\n", id, name)
		}
		return id
	}
	for _, sub := range t.plan.Subs {
		fmt.Fprintf(&b, "  subgraph s%d[sub-topology %d]\n", sub.ID, sub.ID)
		for i, n := range sub.Nodes {
			fmt.Fprintf(&b, "    n%d_%d[%q]\n", sub.ID, i, n.Name)
		}
		for _, s := range sub.Stores {
			fmt.Fprintf(&b, "    st_%s[(%q)]\n", mermaidID(s.Name), s.Name)
		}
		b.WriteString("  end\n")
		for i, n := range sub.Nodes {
			at := fmt.Sprintf("n%d_%d", sub.ID, i)
			for _, p := range n.Parents {
				fmt.Fprintf(&b, "  n%d_%d --> %s\n", sub.ID, p, at)
			}
			for _, s := range slices.Concat(n.Stores, n.Globals) {
				fmt.Fprintf(&b, "  %s --- st_%s\n", at, mermaidID(s))
			}
			switch {
			case n.Topic == "":
			case len(n.Parents) == 0:
				fmt.Fprintf(&b, "  %s --> %s\n", topic(n.Topic), at)
			default:
				fmt.Fprintf(&b, "  %s --> %s\n", at, topic(n.Topic))
			}
		}
	}
	for _, g := range t.plan.Globals {
		fmt.Fprintf(&b, "  st_%s[(%q)]\n  %s --> st_%s\n", mermaidID(g.Store), g.Store, topic(g.Topic), mermaidID(g.Store))
	}
	return b.String()
}

func mermaidID(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' {
			return '_'
		}
		return r
	}, s)
}
