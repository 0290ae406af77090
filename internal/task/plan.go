package task

import (
	"context"
	"regexp"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/state"
)

// A Plan is a validated topology: what to compute, in a form that can be run any
// number of times. It is immutable and may be shared.
type Plan struct {
	Subs        []*Sub
	Globals     []Global
	Shape       []string // what tasks mean to the group, a line for each part: see Seal
	Fingerprint string   // of the shape: equal plans have equal fingerprints
	Check       Check    // of everything outside that is used

	deadLetters string // topic, "" if there is none: see DeadLetters
}

// A Check asks whether what is outside is as it must be before the first record. Its
// error names all that is not, says where, and what to do.
type Check func(ctx context.Context, app string) error

// A Sub is a sub-topology: nodes connected by edges or by shared stores. Each of
// its partitions is one task.
type Sub struct {
	ID      int
	Sources []Source // a task's inputs, in this order
	Sinks   []Sink
	Stores  []Store
	Nodes   []Node // a node comes after its parents
	Origins []int  // which source, as the nodes know it, each of Sources is; nil: the same
}

// Stateful reports whether the sub-topology keeps state.
func (s *Sub) Stateful() bool { return len(s.Stores) > 0 }

// A Topic names a Kafka topic. An internal one belongs to the application, and
// its name in Kafka derives from the application's.
type Topic struct {
	Name     string
	Internal bool
}

// Resolve returns the topic's name in Kafka for an application.
func (t Topic) Resolve(app string) string {
	if t.Internal {
		return app + "-" + t.Name
	}
	return t.Name
}

// Changelog returns the name that the changelog topic of a store has by default.
func Changelog(app, store string) string { return app + "-" + store + "-changelog" }

// A Global is a table that every process keeps whole: it reads all partitions of a
// topic by itself, and no task has a part in it.
type Global struct {
	Store string
	Topic string
	// Forms returns who tells the forms of the rows as a topic has them: this one or, of rows
	// that are made, the changelog that there would be; nil if nobody can.
	Forms func(topic string) state.Forms
	// Row looks whether a record can be read; nil: any can.
	Row func(*Message) (Row, error)
	// Make returns what makes rows of the topic's records; nil if the records are rows.
	Make func(rows *state.Store, app string) func(*Message) error
}

// A Source is a topic that a sub-topology reads.
type Source struct {
	Topic      Topic
	Node       string
	Partitions int32  // of an internal topic, if the author fixed it; else 0
	Start      Start  // where a partition without a committed offset is read from
	Group      int    // sources of one group are co-partitioned: their partition counts agree
	From       string // the internal topic's writer, for messages
	Keyed      bool   // equal keys of the group's topics must meet

	// Pattern, if not nil, stands for all topics that match it. Topic is
	// then what it is called. See Plan.Expand.
	Pattern *regexp.Regexp
}

// Start says where to begin to read a partition that has no committed offset: at an
// end, at what is not older than so many ms, or nowhere.
type Start int64

const (
	Earliest Start = 0
	Latest   Start = -1
	Nowhere  Start = -2 // it is refused
)

// Back is where the records begin that are not older than ms.
func Back(ms int64) Start { return Start(max(1, ms)) }

// Back reports whether s is a place in time, and how many ms ago.
func (s Start) Back() (ms int64, ok bool) { return int64(s), s > 0 }

func (s Start) String() string {
	switch {
	case s == Latest:
		return "latest"
	case s == Nowhere:
		return "nowhere"
	case s > 0:
		return (time.Duration(s) * time.Millisecond).String() + " back"
	}
	return "earliest"
}

// A Sink is a topic that a sub-topology writes. A topic chosen per record has
// no name here.
type Sink struct {
	Topic   Topic
	Node    string
	Dynamic bool
}

// A Store is a store that a sub-topology keeps.
type Store struct {
	Name    string
	Logged  bool              // has a changelog topic of its own
	Source  Topic             // the source topic that serves as its changelog, if one does
	Configs map[string]string // of the changelog topic, beyond the defaults
	Layout  state.Layout      // nil: state.Plain
	Headers []Header          // of every changelog record that has a value
	// Forms returns who tells the forms of the changelog's entries; nil if nobody can.
	Forms func(changelog string) state.Forms
	// Rows returns what makes rows of the records of Source, from one on; nil if the
	// records are rows.
	Rows func() func(*Message) (Row, error)
}

// Open opens a partition of the store in eng.
func (s Store) Open(eng engine.Engine, app string, partition int32) (*state.Store, error) {
	st, err := state.Open(eng, engine.Namespace{Store: s.Name, Partition: partition}, s.Layout)
	if err == nil && s.Forms != nil {
		st.KeepForms(s.Forms(s.Restored(app)))
	}
	return st, err
}

// Restored returns the topic that the store is restored from, or would be if it had
// one.
func (s Store) Restored(app string) string {
	if topic, _, ok := s.Changelog(app); ok {
		return topic
	}
	return Changelog(app, s.Name)
}

// Changelog returns the name of the topic that the store is restored from; ok is
// false if there is none. own says whether the store writes it.
func (s Store) Changelog(app string) (topic string, own, ok bool) {
	switch {
	case s.Source.Name != "":
		return s.Source.Resolve(app), false, true
	case s.Logged:
		return Changelog(app, s.Name), true, true
	}
	return "", false, false
}

// A Node is one vertex. Open wires it into a task: it is called once per task,
// children before parents.
type Node struct {
	Name    string
	Kind    string
	Parents []int    // places in Sub.Nodes
	Stores  []string // it uses
	Globals []string // global tables it reads, by store
	Topic   string   // it reads or writes, as printed
	Open    func(t *Task) error
}
