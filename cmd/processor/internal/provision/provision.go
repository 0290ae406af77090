// Package provision says what a service needs of a Kafka cluster: topics, and the
// rights of its principal. It is pure: it asks no cluster and changes none.
package provision

import (
	"maps"
	"slices"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/pkg/streams"
)

// A Plan is what a service needs.
type Plan struct {
	Topics []Topic
	Rights []Right
	Reset  []Right // that `processor reset` needs beside them
}

// A Topic is one that must exist.
type Topic struct {
	Name       string
	Kind       string // source, sink, repartition, changelog, dead letters
	Partitions int32  // 0: any number; AsInput
	Configs    map[string]string
	ByLeat     bool // the service creates it if it is missing
}

// AsInput is the partition count of a topic that has as many as the service's
// input, where that number is not known.
const AsInput = -1

// A Right is what the service's principal must be allowed to do.
type Right struct {
	Resource   Resource
	Name       string
	Prefixed   bool // Name is the beginning of names
	Operations []string
	Why        string
}

// Resource is what a right is about.
type Resource string

const (
	TopicResource         Resource = "topic"
	GroupResource         Resource = "group"
	TransactionalResource Resource = "transactional-id"
	ClusterResource       Resource = "cluster"
)

// Make returns what the configured service needs. needs are the topics of its
// topology.
func Make(c *config.Config, needs []streams.TopicNeed) Plan {
	p := Plan{Reset: []Right{{Resource: GroupResource, Name: c.Application, Operations: []string{"Delete"}, Why: "its offsets"}}}
	for _, n := range needs {
		p.topic(c, n)
	}
	if dead := c.Processing.DeadLetterTopic; dead != "" {
		p.Topics = append(p.Topics, Topic{Name: dead, Kind: "dead letters"})
		p.allow(TopicResource, dead, "dead letters", "Write")
	}
	p.allow(GroupResource, c.Application, "membership and committed offsets", "Read")
	if c.Processing.Guarantee == "exactly_once" {
		p.allow(TransactionalResource, c.Application+"-", "transactions, an id for each worker of each process", "Write")
		p.Rights[len(p.Rights)-1].Prefixed = true
	}
	p.allow(ClusterResource, "kafka-cluster", "idempotent producers", "IdempotentWrite")
	return p
}

func (p *Plan) topic(c *config.Config, n streams.TopicNeed) {
	t := Topic{Name: n.Name, Kind: n.Kind, Partitions: n.Partitions, Configs: maps.Clone(n.Configs)}
	switch n.Kind {
	case "source":
		p.allow(TopicResource, n.Name, "input", "Read")
	case "sink":
		p.allow(TopicResource, n.Name, "output", "Write")
	default: // internal
		t.ByLeat = c.InternalTopics.Create
		for k, v := range c.InternalTopics.Configs[n.Name] {
			if t.Configs == nil {
				t.Configs = map[string]string{}
			}
			t.Configs[k] = v
		}
		p.allow(TopicResource, n.Name, n.Kind, operations(n.Kind, t.ByLeat)...)
		if n.Kind == "changelog" { // repartition topics may be deleted already
			p.Reset = append(p.Reset, Right{Resource: TopicResource, Name: n.Name, Operations: []string{"Delete"}, Why: n.Kind})
		}
	}
	p.Topics = append(p.Topics, t)
}

// operations are what is done with an internal topic.
func operations(kind string, create bool) []string {
	ops := []string{"Read", "Write", "DescribeConfigs"}
	if kind == "repartition" {
		ops = append(ops, "Delete") // records that have been processed
	}
	if create {
		ops = append(ops, "Create")
	}
	return ops
}

// allow adds a right, or operations to one that is there already: a topic may be
// read and written.
func (p *Plan) allow(r Resource, name, why string, operations ...string) {
	for i := range p.Rights {
		have := &p.Rights[i]
		if have.Resource == r && have.Name == name {
			have.Why += ", " + why
			for _, op := range operations {
				if !slices.Contains(have.Operations, op) {
					have.Operations = append(have.Operations, op)
				}
			}
			return
		}
	}
	p.Rights = append(p.Rights, Right{Resource: r, Name: name, Operations: operations, Why: why})
}
