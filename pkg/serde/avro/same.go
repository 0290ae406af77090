package avro

import (
	"bytes"
	"slices"

	"github.com/leatstream/leat/pkg/serde"
)

// Same reports whether w means the same as the codec's own schema, however it is written:
// documentation, the order of attributes, where names have their namespaces, and what is a
// reference or within the text do not count. All that readers go by does: names, types,
// logical types, aliases and defaults.
func (c *Codec[T]) Same(w serde.Schema) bool {
	if c.err != nil {
		return false
	}
	other, err := Load(w)
	return err == nil && alike{}.nodes(c.schema.root, other.root)
}

// alike are the types of two schemas that have been compared, or are being: a record may
// hold itself.
type alike map[[2]*node]bool

func (s alike) nodes(a, b *node) bool {
	if s[[2]*node{a, b}] {
		return true
	}
	s[[2]*node{a, b}] = true
	return a.kind == b.kind && a.name == b.name && sameSet(a.aliases, b.aliases) &&
		a.logical == b.logical && a.precision == b.precision && a.scale == b.scale &&
		a.size == b.size && a.fallback == b.fallback && slices.Equal(a.symbols, b.symbols) &&
		slices.EqualFunc(a.fields, b.fields, s.fields) &&
		slices.EqualFunc(a.branches, b.branches, s.nodes) &&
		(a.item == nil || s.nodes(a.item, b.item))
}

func (s alike) fields(a, b *field) bool {
	return a.name == b.name && sameSet(a.aliases, b.aliases) && sameDefault(a, b) && s.nodes(a.node, b.node)
}

// sameDefault compares what the defaults are, and of those that do not fit how they are
// written.
func sameDefault(a, b *field) bool {
	if a.bad != nil || b.bad != nil {
		return bytes.Equal(a.given, b.given)
	}
	return (a.preset == nil) == (b.preset == nil) && bytes.Equal(a.preset, b.preset)
}

func sameSet(a, b []string) bool {
	sorted := func(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }
	return slices.Equal(sorted(a), sorted(b))
}
