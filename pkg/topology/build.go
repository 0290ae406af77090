package topology

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
)

// A Topology is validated and immutable. It may be run any number of times, also
// at once.
type Topology struct {
	plan *task.Plan
}

// Plan is the topology as the runtime sees it.
func (t *Topology) Plan() *task.Plan { return t.plan }

// Fingerprint identifies the topology to the group: it changes whenever what is read,
// kept or repartitioned does. Processes share tasks only if theirs are equal.
func (t *Topology) Fingerprint() string { return t.plan.Fingerprint }

// Build validates the topology. It reports every mistake, not only the first, each
// with its cure.
func (b *Builder) Build() (*Topology, error) {
	if len(b.sources) == 0 {
		b.fail("nothing is read: start with From")
	}
	b.checkNodes()
	b.checkStores()
	b.relax()
	b.coalesced = b.coalesce
	groups := b.copartition()
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	plan := &task.Plan{Globals: b.globals, Check: all(append(slices.Clip(b.checks), b.storeChecks()...))}
	for i, members := range b.split() {
		plan.Subs = append(plan.Subs, b.sub(i, members, groups))
	}
	plan.Seal()
	return &Topology{plan}, nil
}

// checkNodes finds names that are used twice, and topics that are written and
// read as one.
func (b *Builder) checkNodes() {
	seen := map[string]string{}
	for _, n := range b.nodes {
		if n.kind == "process" || len(n.stores) > 0 {
			if other, taken := seen[n.name]; taken {
				b.fail("%s and %s are both called %q: give each its own name", other, n.kind, n.name)
			}
			seen[n.name] = n.kind
		}
		if n.kind != "sink" || n.topic.Name == "" {
			continue
		}
		if src, ok := b.sources[n.topic.Resolve("")]; ok && b.upstream(src.node, n.parents[0]) {
			b.fail("topic %q is written by a sink that it feeds: the loop never ends; write to another topic", n.topic.Name)
		}
	}
}

// checkStores finds stores that are only read, read as what they are not, or written by
// processors although another topic is what they are restored from, and those of global
// tables, which no task keeps.
func (b *Builder) checkStores() {
	b.checkShared()
	for _, n := range b.nodes {
		for _, r := range n.reads {
			if b.isGlobal(r.Name) {
				continue // see below
			}
			switch have, ok := b.specs[r.Name]; {
			case !ok:
				b.fail("processor %q reads store %q, which nothing writes: name it without store.ForReading where it is written", n.name, r.Name)
			case kindOf(have) != kindOf(r):
				b.fail("processor %q reads store %q as of another kind: declare it once and use that declaration everywhere", n.name, r.Name)
			}
		}
		if n.kind != "process" {
			continue
		}
		for _, st := range n.stores {
			if b.isGlobal(st) {
				b.fail("processor %q names store %q, which is a global table's: each task would have one of its own by that name, with nothing in it; leave it out, and open the table by GlobalTable.Open", n.name, st)
			}
			if b.backed[st].Name != "" && !slices.ContainsFunc(n.reads, func(r store.Spec) bool { return r.Name == st }) {
				b.fail("processor %q may write to store %q, whose changelog is the topic %q: what it wrote would not be restored; name it by store.ForReading", n.name, st, b.backed[st].Name)
			}
		}
	}
}

// isGlobal reports whether a store is a global table's.
func (b *Builder) isGlobal(st string) bool {
	return slices.ContainsFunc(b.globals, func(g task.Global) bool { return g.Store == st })
}

// upstream reports whether node a feeds node z by edges.
func (b *Builder) upstream(a, z int) bool {
	if a == z {
		return true
	}
	for _, p := range b.nodes[z].parents {
		if b.upstream(a, p) {
			return true
		}
	}
	return false
}

// split divides the nodes into sub-topologies: those connected by edges or by a
// shared store. The order is that of the first node of each.
func (b *Builder) split() [][]int {
	u := newUnion(len(b.nodes))
	byStore := map[string]int{}
	for i, n := range b.nodes {
		for _, p := range n.parents {
			u.join(i, p)
		}
		for _, s := range n.stores {
			if first, ok := byStore[s]; ok {
				u.join(i, first)
			}
			byStore[s] = i
		}
	}
	return u.sets()
}

// copartition groups the source topics that must have equal partition counts:
// those that reach one operator for which equal keys must meet.
func (b *Builder) copartition() map[int]int {
	u := newUnion(len(b.nodes))
	reach := make([][]int, len(b.nodes)) // node -> sources above it
	for i, n := range b.nodes {
		if n.kind == "source" {
			reach[i] = []int{i}
		}
		for _, p := range n.parents {
			reach[i] = append(reach[i], reach[p]...)
		}
		if !n.keyed {
			continue
		}
		for _, s := range reach[i] {
			u.join(s, reach[i][0])
		}
	}
	groups := map[int]int{}
	for g, set := range u.sets() {
		for _, i := range set {
			groups[i] = g
		}
	}
	return groups
}

// keyed reports whether equal keys of a source's topics must meet.
func (b *Builder) keyed(source int) bool {
	return slices.ContainsFunc(b.nodes, func(n node) bool {
		return n.keyed && slices.ContainsFunc(n.parents, func(p int) bool { return b.upstream(source, p) })
	})
}

// sub makes the plan of one sub-topology from the places of its nodes.
func (b *Builder) sub(id int, members []int, groups map[int]int) *task.Sub {
	sub := &task.Sub{ID: id}
	place := map[int]int{}
	var stores []string
	for _, i := range members {
		n := b.nodes[i]
		w := wiring{id: len(sub.Nodes)}
		place[i], b.nodes[i].place = w.id, w.id
		for _, p := range n.parents {
			w.parents = append(w.parents, place[p])
		}
		switch {
		case n.kind == "source":
			src := b.sources[n.topic.Resolve("")].topic
			src.Group = groups[i]
			src.Keyed = b.keyed(i)
			w.source = len(sub.Sources)
			sub.Sources = append(sub.Sources, src)
		case n.topic.Name != "" || n.dynamic:
			sub.Sinks = append(sub.Sinks, task.Sink{Topic: n.topic, Node: n.name, Dynamic: n.dynamic})
			for _, topic := range n.among {
				sub.Sinks = append(sub.Sinks, task.Sink{Topic: topic, Node: n.name})
			}
		}
		stores = append(stores, n.stores...)
		sub.Nodes = append(sub.Nodes, task.Node{
			Name: n.name, Kind: n.kind, Parents: w.parents, Stores: n.stores, Globals: n.globals, Topic: label(n),
			Open: func(t *task.Task) error { w := w; w.t = t; return n.open(w) },
		})
	}
	sort.Strings(stores)
	for _, name := range slices.Compact(stores) {
		spec := b.specs[name]
		sub.Stores = append(sub.Stores, task.Store{Name: name, Logged: spec.Logged, Source: b.backed[name].Topic, Rows: b.backed[name].rows, Configs: spec.Configs, Layout: spec.Layout, Headers: headersOf(spec), Forms: spec.Serdes.Forms})
	}
	return sub
}

func headersOf(spec store.Spec) (headers []Header) {
	for _, key := range slices.Sorted(maps.Keys(spec.Headers)) {
		headers = append(headers, Header{Key: key, Value: spec.Headers[key]})
	}
	return headers
}

func label(n node) string {
	switch {
	case n.dynamic:
		return "(chosen per record)"
	case n.topic.Internal:
		return n.topic.Resolve("<application>")
	}
	return n.topic.Name
}

// A union finds connected sets.
type union []int

func newUnion(n int) union {
	u := make(union, n)
	for i := range u {
		u[i] = i
	}
	return u
}

func (u union) find(i int) int {
	for u[i] != i {
		i = u[i]
	}
	return i
}

func (u union) join(i, j int) {
	i, j = u.find(i), u.find(j)
	u[max(i, j)] = min(i, j)
}

// sets returns the sets by their smallest member, each in order.
func (u union) sets() (sets [][]int) {
	index := map[int]int{}
	for i := range u {
		root := u.find(i)
		if _, ok := index[root]; !ok {
			index[root] = len(sets)
			sets = append(sets, nil)
		}
		sets[index[root]] = append(sets[index[root]], i)
	}
	return sets
}

// Describe prints the sub-topologies with their nodes, stores and topics.
func (t *Topology) Describe() string {
	var b strings.Builder
	for _, sub := range t.plan.Subs {
		fmt.Fprintf(&b, "sub-topology %d\n", sub.ID)
		for _, s := range sub.Sources {
			fmt.Fprintf(&b, "  reads  %s\n", s.Topic.Resolve("<application>"))
		}
		for _, s := range sub.Stores {
			fmt.Fprintf(&b, "  keeps  %s", s.Name)
			if topic, _, ok := s.Changelog("<application>"); ok {
				fmt.Fprintf(&b, " (changelog %s)", topic)
			}
			b.WriteByte('\n')
		}
		for _, n := range sub.Nodes {
			describeNode(&b, sub, n)
		}
	}
	for _, g := range t.plan.Globals {
		fmt.Fprintf(&b, "global table %s\n  reads  %s\n", g.Store, g.Topic)
	}
	return b.String()
}

func describeNode(b *strings.Builder, sub *task.Sub, n task.Node) {
	fmt.Fprintf(b, "  %s", n.Name)
	if n.Name != n.Kind && !strings.HasPrefix(n.Name, n.Kind+"-") {
		fmt.Fprintf(b, " (%s)", n.Kind)
	}
	for i, p := range n.Parents {
		fmt.Fprintf(b, "%s %s", []string{" <-", ","}[min(i, 1)], sub.Nodes[p].Name)
	}
	if uses := slices.Concat(n.Stores, n.Globals); len(uses) > 0 {
		fmt.Fprintf(b, " [%s]", strings.Join(uses, ", "))
	}
	if n.Topic != "" && len(n.Parents) > 0 {
		fmt.Fprintf(b, " -> %s", n.Topic)
	}
	b.WriteByte('\n')
}
