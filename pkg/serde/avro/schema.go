package avro

import (
	"fmt"

	"github.com/leatstream/leat/pkg/serde"
)

// A Schema is a parsed schema. It does not change.
type Schema struct {
	root        *node
	text        string
	references  []*Schema // those that text names and does not hold
	canonical   string
	fingerprint uint64
}

// Parse parses a schema in Avro's JSON. The types that it names without defining them
// must be those that known define: each a schema of a record, an enum or a fixed.
//
// A default that does not fit its field is no error here, since many a schema in use
// has one. It is one for a codec that would write or read with it.
func Parse(text string, known ...*Schema) (*Schema, error) {
	p := newParser(known)
	root, err := p.parse(text)
	if err != nil {
		return nil, fmt.Errorf("avro schema: %w", err)
	}
	s := &Schema{root: root, text: text, references: p.referenced()}
	s.canonical = string(appendCanonical(nil, root, map[string]bool{}))
	s.fingerprint = fingerprint(s.canonical)
	return s, nil
}

// Load parses a schema in the form that registries keep, with its references.
func Load(s serde.Schema) (*Schema, error) { return loader{}.load(s, 0) }

const maxReferences = 100 // in one another; a cycle has no end

// A loader has parsed schemas, each once: many may refer to the same one, by more paths
// than anybody can go.
type loader map[source]*Schema

// A source is a schema to be parsed. Whoever follows references by many paths hands on the
// same ones.
type source struct {
	text  string
	first *serde.Reference
}

func (l loader) load(s serde.Schema, depth int) (*Schema, error) {
	if s.Type != serde.AvroSchema {
		return nil, fmt.Errorf("avro schema: %s is a schema of type %s", s.Name, s.Type)
	}
	if depth == maxReferences {
		return nil, fmt.Errorf("avro schema: references are nested more than %d deep", maxReferences)
	}
	from := source{text: s.Text}
	if len(s.References) > 0 {
		from.first = &s.References[0]
	}
	if parsed := l[from]; parsed != nil {
		return parsed, nil
	}
	known := make([]*Schema, len(s.References))
	for i, r := range s.References {
		var err error
		if known[i], err = l.load(r.Schema, depth+1); err != nil {
			return nil, fmt.Errorf("%w (referred to as %s)", err, r.Name)
		}
	}
	parsed, err := Parse(s.Text, known...)
	if err == nil {
		l[from] = parsed
	}
	return parsed, err
}

// Name is the full name of the type that s describes, or that of a type without name:
// "long".
func (s *Schema) Name() string { return s.root.label() }

// String is the text that s was parsed from.
func (s *Schema) String() string { return s.text }

// Canonical is the parsing canonical form of the specification. Schemas with the same
// one have the same bytes.
func (s *Schema) Canonical() string { return s.canonical }

// Fingerprint is the CRC-64-AVRO fingerprint of the canonical form.
func (s *Schema) Fingerprint() uint64 { return s.fingerprint }

// Form returns s in the form that registries keep.
func (s *Schema) Form() serde.Schema { return s.form(map[*Schema]serde.Schema{}) }

func (s *Schema) form(made map[*Schema]serde.Schema) serde.Schema {
	f, ok := made[s]
	if ok {
		return f
	}
	f = serde.Schema{Type: serde.AvroSchema, Name: s.Name(), Text: s.text}
	for _, r := range s.references {
		f.References = append(f.References, serde.Reference{Name: r.Name(), Schema: r.form(made)})
	}
	made[s] = f
	return f
}

// check returns what is wrong with the defaults of s, all of it.
func (s *Schema) check() []error {
	var errs []error
	walk(s.root, map[*node]bool{}, func(n *node) {
		for _, f := range n.fields {
			if f.bad != nil {
				errs = append(errs, fmt.Errorf("avro schema: the default of %s.%s: %w", n.name, f.name, f.bad))
			}
		}
	})
	return errs
}

// walk calls visit with n and every type in it, once for each.
func walk(n *node, seen map[*node]bool, visit func(*node)) {
	if seen[n] {
		return
	}
	seen[n] = true
	visit(n)
	for _, f := range n.fields {
		walk(f.node, seen, visit)
	}
	for _, b := range n.branches {
		walk(b, seen, visit)
	}
	if n.item != nil {
		walk(n.item, seen, visit)
	}
}
