// Package topologies holds what the processor can run, by name. Each topology is a
// file of its own; it knows how its topics are called only by what it is told.
package topologies

import (
	"github.com/leatstream/leat/pkg/serde/registry"
	"github.com/leatstream/leat/pkg/topology"
)

// A Topology can be run by its name.
type Topology struct {
	Name        string
	Description string // one line
	Topics      []Topic
	Registry    bool // it needs a schema registry: see With
	builder     func(topics map[string]string) *topology.Builder
	schematic   func(s Schemas, topics map[string]string) *topology.Builder // if Registry
	schemas     Schemas
}

// Schemas is where a topology has its schemas from, and what it may do there.
type Schemas struct {
	Client   *registry.Client
	Register registry.Registration
}

// With returns t with the registry that its schemas are in. Without, it can be built and
// described, and not run.
func (t Topology) With(s Schemas) Topology {
	t.schemas = s
	return t
}

// A Topic is one that a topology reads or writes.
type Topic struct {
	Part    string // what it is to the topology
	Default string // its name, where no other is given
	Use     Use
}

// Use says what a topology does with a topic.
type Use int8

const (
	Read Use = iota
	Written
)

func (u Use) String() string {
	if u == Written {
		return "written"
	}
	return "read"
}

var all = []Topology{wordcount, count, passOn, fraud, orders}

// All returns every topology there is.
func All() []Topology { return all }

// Find returns the topology of that name, and whether there is one.
func Find(name string) (t Topology, ok bool) {
	for _, t := range all {
		if t.Name == name {
			return t, true
		}
	}
	return Topology{}, false
}

// Defaults are the names of t's topics by part, where no others are given.
func (t Topology) Defaults() map[string]string {
	names := map[string]string{}
	for _, topic := range t.Topics {
		names[topic.Part] = topic.Default
	}
	return names
}

// Builder returns t under construction. topics names all of its topics by part.
func (t Topology) Builder(topics map[string]string) *topology.Builder {
	if t.Registry {
		return t.schematic(t.schemas, topics)
	}
	return t.builder(topics)
}

// Build returns t over the topics of those names.
func (t Topology) Build(topics map[string]string) (*topology.Topology, error) {
	return t.Builder(topics).Build()
}
