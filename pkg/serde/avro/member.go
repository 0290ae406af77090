package avro

import (
	"fmt"
	"reflect"
	"strings"
)

// A member is a field of a Go struct that holds a field of a record or a branch of a
// union.
type member struct {
	name     string // as the schema has it
	tagged   bool   // name is from the tag; otherwise case does not matter
	omitzero bool   // the zero value stands for null
	offset   uintptr
	typ      reflect.Type
	depth    int // of embedding
}

// membersOf returns those of t. Those of embedded structs without a tag count as t's
// own, by Go's rules: a name that is less deep hides the others.
func membersOf(t reflect.Type) ([]member, []error) {
	var out []member
	var errs []error
	collect(t, member{}, &out, &errs)
	kept := out[:0:0]
	for i, m := range out {
		hidden := false
		for j, other := range out {
			if i == j || !strings.EqualFold(other.name, m.name) {
				continue
			}
			if other.depth == m.depth && j < i && (other.name == m.name || !other.tagged || !m.tagged) {
				errs = append(errs, fmt.Errorf("%s has two fields for %q", t, m.name))
			}
			hidden = hidden || other.depth < m.depth
		}
		if !hidden {
			kept = append(kept, m)
		}
	}
	return kept, errs
}

func collect(t reflect.Type, outer member, out *[]member, errs *[]error) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("avro")
		name, option, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			collect(f.Type, member{offset: outer.offset + f.Offset, depth: outer.depth + 1}, out, errs)
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Pointer:
			*errs = append(*errs, fmt.Errorf("%s embeds %s: embed it without the pointer, or give it a tag", t, f.Type))
			continue
		case !f.IsExported():
			if tagged {
				*errs = append(*errs, fmt.Errorf("%s.%s has a tag but is not exported", t, f.Name))
			}
			continue
		}
		m := member{name: name, tagged: name != "", offset: outer.offset + f.Offset, typ: f.Type, depth: outer.depth}
		if m.name == "" {
			m.name = f.Name
		}
		if m.omitzero = option == "omitzero"; option != "" && !m.omitzero {
			*errs = append(*errs, fmt.Errorf("%s.%s has the option %q in its tag; only omitzero is known", t, f.Name, option))
		}
		*out = append(*out, m)
	}
}

// find returns the member for a field or branch of a schema.
func find(members []member, names ...string) int {
	for _, name := range names {
		for i, m := range members {
			if m.name == name {
				return i
			}
		}
	}
	for i, m := range members {
		if !m.tagged && strings.EqualFold(m.name, names[0]) {
			return i
		}
	}
	return -1
}
