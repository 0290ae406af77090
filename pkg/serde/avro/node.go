package avro

import (
	"encoding/json/jsontext"
	"strings"
)

// A kind is one of Avro's types.
type kind int8

const (
	kindNull kind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindFixed
	kindEnum
	kindArray
	kindMap
	kindRecord
	kindUnion
)

var kindNames = [...]string{
	"null", "boolean", "int", "long", "float", "double", "bytes", "string", "fixed", "enum", "array", "map", "record", "union",
}

func (k kind) String() string { return kindNames[k] }

// named says whether types of kind k have names.
func (k kind) named() bool { return k == kindFixed || k == kindEnum || k == kindRecord }

// A node is a type in a schema. A named type is one node, wherever it is used, so that
// recursive types are cycles. A node does not change after it has been parsed.
type node struct {
	kind    kind
	logical logical

	name    string   // full; of named types only
	aliases []string // full

	fields   []*field       // of a record
	branches []*node        // of a union
	item     *node          // of an array, and the value of a map
	symbols  []string       // of an enum
	index    map[string]int // of a symbol
	fallback int            // the enum's default, or -1
	size     int            // of a fixed

	precision, scale int // of a decimal
}

// A field is one of a record's.
type field struct {
	name    string
	aliases []string
	node    *node

	given jsontext.Value // the default as it is in the schema, nil if there is none

	// preset is the encoding of the default by the field's type, nil if there is none.
	preset []byte
	// bad says why the default that the schema gives is none.
	bad error
}

// label is the name by which a union's branches are told apart.
func (n *node) label() string {
	if n.kind.named() {
		return n.name
	}
	return n.kind.String()
}

// describe is n in the words of an error.
func (n *node) describe() string {
	s := n.label()
	if n.kind.named() {
		s = n.kind.String() + " " + s
	}
	if n.kind == kindUnion {
		labels := make([]string, len(n.branches))
		for i, b := range n.branches {
			labels[i] = b.label()
		}
		s += " of " + strings.Join(labels, ", ")
	}
	if n.logical != none {
		s += " (" + n.logical.String() + ")"
	}
	return s
}

// optional returns the place of null in a union of null and one other type, and the
// other type.
func (n *node) optional() (null int, other *node, ok bool) {
	if n.kind != kindUnion || len(n.branches) != 2 {
		return 0, nil, false
	}
	for i, b := range n.branches {
		if b.kind == kindNull {
			return i, n.branches[1-i], true
		}
	}
	return 0, nil, false
}

// branch returns the place of the branch of a union that label names: by its full
// name, or by its last part if no other branch has the same.
func (n *node) branch(label string) (int, bool) {
	found := -1
	for i, b := range n.branches {
		if b.label() == label {
			return i, true
		}
		if unqualified(b.label()) == label {
			if found >= 0 {
				return 0, false
			}
			found = i
		}
	}
	return found, found >= 0
}

func unqualified(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// least is the number of bytes that an encoding of n has at least.
func (n *node) least() int { return leasts{}.of(n) }

// leasts are those of records, which may hold the same ones by many paths. That of a record
// within itself is 0: it has no end, and no encoding.
type leasts map[*node]int

func (l leasts) of(n *node) int {
	switch n.kind {
	case kindNull:
		return 0
	case kindFloat:
		return 4
	case kindDouble:
		return 8
	case kindFixed:
		return n.size
	case kindRecord:
		if known, ok := l[n]; ok {
			return known
		}
		l[n] = 0
		sum := 0
		for _, f := range n.fields {
			sum = min(sum+l.of(f.node), maxFixed)
		}
		l[n] = sum
		return sum
	}
	return 1 // a union's branch may be null
}
