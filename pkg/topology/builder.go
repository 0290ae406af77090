package topology

import (
	"fmt"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
)

// A Builder collects the nodes of one topology. The handles it gives out add to
// it. It is not safe for concurrent use.
type Builder struct {
	nodes     []node
	sources   map[string]source // by topic
	owners    map[string]string // store -> node that owns it
	specs     map[string]store.Spec
	owned     []store.Spec       // stores as their owners declare them, and as others may
	shared    []store.Spec       // stores as processors that write to them declare them
	backed    map[string]backing // stores whose changelog is their source topic
	checks    []task.Check
	globals   []task.Global
	coalesce  bool // every table
	coalesced bool // coalesce as it was at Build: what runs goes by that
	errs      []error
}

// New returns an empty builder.
func New() *Builder {
	return &Builder{sources: map[string]source{}, owners: map[string]string{}, specs: map[string]store.Spec{}, backed: map[string]backing{}}
}

// Coalesce makes every table of the topology emit each changed key once per
// commit, with its last value, instead of every update, whether it is declared before
// this or after. The exceptions are those of Coalesced, which tables of versions and of
// store.LRU cannot be.
func (b *Builder) Coalesce() { b.coalesce = true }

// From reads one topic, or several of the same types, as a stream. A topic may be
// read by any number of Froms.
func (b *Builder) From[K, V any](topic Topic[K, V], more ...Topic[K, V]) Stream[K, V] {
	s := from(b, topic, task.Source{Topic: task.Topic{Name: topic.name}})
	for _, t := range more {
		s = s.Merge(from(b, t, task.Source{Topic: task.Topic{Name: t.name}}))
	}
	return s
}

// Table reads a topic as a table: the last value of each key, kept in st. A null
// value deletes its key, a record without a key is dropped.
func (b *Builder) Table[K, V any](topic Topic[K, V], st store.Rows[K, V], opts ...TableOption) Table[K, V] {
	s := b.From(topic)
	if b.tableOptions(opts).backed {
		if read, ok := b.sources[topic.name].typed.(Topic[K, V]); ok { // as it was first declared
			topic = read
		}
		b.backed[st.Name()] = backedBy(topic, st)
	}
	return s.Table(st, opts...)
}

func (b *Builder) tableOptions(opts []TableOption) tableOptions {
	o := tableOptions{all: &b.coalesced}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// A source is a topic that is read.
type source struct {
	node  int
	topic task.Source
	typed any // the Topic[K, V]
}

func from[K, V any](b *Builder, t Topic[K, V], as task.Source) Stream[K, V] {
	name := as.Topic
	if have, ok := b.sources[name.Resolve("")]; ok {
		switch read, same := have.typed.(Topic[K, V]); {
		case !same:
			b.fail("topic %q is read with two sets of types: declare it once and use that declaration everywhere", t.name)
		case !read.timedLike(t):
			b.fail("topic %q is read with timestamps of two kinds, by Timed, TimedByArrival or OnInvalidTime: declare it once and use that declaration everywhere", t.name)
		}
		if have.topic.Start != t.start {
			b.fail("topic %q is to be read from two places: declare it once and use that declaration everywhere", t.name)
		}
		return Stream[K, V]{b: b, id: have.node}
	}
	b.checkName("topic", t.name)
	if t.key == nil || t.value == nil {
		b.fail("topic %q has no serde for its key or its value", t.name)
	}
	t.check(b, name, serde.Reads)
	id := b.add(node{kind: "source", name: t.name, topic: name, open: func(w wiring) error {
		t := t.placed(name.Resolve(w.t.App()), name.Internal)
		reader := sourceReader[K, V]{topic: t, t: w.t, out: task.Outlet[Record[K, V]](w.t, w.id)}
		if !t.timed() {
			w.t.Feed(w.source, reader.feed)
			return nil
		}
		w.t.FeedTimed(w.source, func() (func(*task.Message) error, task.Stamp) {
			one := reader
			return one.feed, one.time
		})
		return nil
	}})
	as.Node, as.Start = t.name, t.start
	b.sources[name.Resolve("")] = source{id, as, t}
	return Stream[K, V]{b: b, id: id}
}

// A node is a vertex under construction.
type node struct {
	kind    string
	name    string // the author's; made from kind and place where there is none
	parents []int
	stores  []string
	reads   []store.Spec // those of the stores that it only reads
	globals []string     // global tables that are read
	topic   task.Topic   // read or written
	dynamic bool         // writes topics chosen per record
	among   []task.Topic // of these, and maybe of others
	place   int          // in its sub-topology, once that is built
	keyed   bool         // equal keys must meet: its inputs are co-partitioned
	relaxed bool         // it emits records without a key, although it is about keys
	nulls   *bool        // of a repartition: records without a key pass; Build says so
	open    func(w wiring) error
}

// wiring is what a node is opened with.
type wiring struct {
	t       *task.Task
	id      int   // place in the sub-topology
	parents []int // places
	source  int   // input number, of a source
}

func (b *Builder) add(n node) int {
	if n.name == "" {
		n.name = fmt.Sprintf("%s-%d", n.kind, len(b.nodes))
	}
	b.nodes = append(b.nodes, n)
	return len(b.nodes) - 1
}

// connect adds a node with one parent. It is written over whole record types, so
// that streams and tables can use it.
func connect[In, Out any](b *Builder, n node, parent int, open func(w wiring, out *task.Port[Out]) (func(In) error, error)) int {
	n.parents = []int{parent}
	n.open = func(w wiring) error {
		read, err := open(w, task.Outlet[Out](w.t, w.id))
		if err != nil {
			return err
		}
		task.Outlet[In](w.t, w.parents[0]).Subscribe(read)
		return nil
	}
	return b.add(n)
}

// own declares the store of an operator, which nobody else may own. Who else names it may
// leave to the operator what as leaves out.
func (b *Builder) own(d store.Descriptor, by string, as ...store.Descriptor) {
	b.claim(d.Name(), by)
	spec := b.describe(d)
	b.specs[spec.Name] = spec
	b.owned = append(b.owned, spec)
	for _, d := range as {
		b.owned = append(b.owned, d.Spec())
	}
}

func (b *Builder) claim(store, by string) {
	if other, taken := b.owners[store]; taken {
		b.fail("store %q belongs to %q and to %q: give each its own name", store, other, by)
	}
	b.owners[store] = by
}

// use declares a store that may be shared, and that some operator may own: it is that
// one's word then how the store is kept.
func (b *Builder) use(d store.Descriptor) {
	spec := b.describe(d)
	if _, ok := b.specs[spec.Name]; !ok {
		b.specs[spec.Name] = spec
	}
	b.shared = append(b.shared, spec)
}

func (b *Builder) describe(d store.Descriptor) store.Spec {
	b.checkName("store", d.Name())
	spec := d.Spec()
	if l, ok := spec.Layout.(state.Recent); ok && l.Most < 1 {
		b.fail("store %q is to keep %d entries: let it keep 1 or more", spec.Name, l.Most)
	}
	return spec
}

func (b *Builder) checkName(what, name string) {
	if !legalName.MatchString(name) || name == "." || name == ".." {
		b.fail("%s name %q is not legal in Kafka: use 1 to 200 of a-z, A-Z, 0-9, '.', '_' and '-'", what, name)
	}
}

func (b *Builder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("topology: "+format, args...))
}
