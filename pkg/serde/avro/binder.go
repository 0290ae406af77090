package avro

import (
	"fmt"
	"reflect"
	"unsafe"
)

// A binder makes the functions that read and write a Go type by a schema. It collects
// every mistake it meets, each with its path.
//
// The functions work on pointers into the value, as the offsets of its fields say: what
// reflection would look up for every field of every record is known beforehand. They write
// through pointers of the right type or one of the same shape, so that the garbage
// collector sees what it must.
type binder struct {
	path  []string
	errs  []error
	skips skipper
	// What has been made for a record, and may still be being made: a recursive one
	// holds itself.
	reads  map[readKey]*readFn
	writes map[writeKey]*writeFn
}

type readKey struct {
	step *step
	typ  reflect.Type
}

type writeKey struct {
	node *node
	typ  reflect.Type
}

func newBinder() *binder {
	return &binder{skips: skipper{}, reads: map[readKey]*readFn{}, writes: map[writeKey]*writeFn{}}
}

func (b *binder) in(name string, do func()) {
	b.path = append(b.path, name)
	do()
	b.path = b.path[:len(b.path)-1]
}

func (b *binder) fail(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if len(b.path) > 0 {
		err = fmt.Errorf("%s: %w", joined(b.path), err)
	}
	b.errs = append(b.errs, err)
}

func (b *binder) misfit(n *node, t reflect.Type) {
	b.fail("%s and Go's %s do not go together%s", n.describe(), t, cure(n))
}

// cure says what would go together with n.
func cure(n *node) string {
	switch n.logical {
	case decimal:
		return "; want *big.Rat"
	case timeMillis, timeMicros:
		return "; want time.Duration or an integer"
	case uuidType:
		return "; want uuid.UUID"
	case duration:
		return "; want avro.Duration"
	case none:
	default:
		return "; want time.Time or an integer"
	}
	switch n.kind {
	case kindEnum, kindString:
		return "; want a string"
	case kindFixed:
		return fmt.Sprintf("; want [%d]byte", n.size)
	case kindInt, kindLong:
		return "; want an integer"
	case kindFloat:
		return "; want float32"
	case kindDouble:
		return "; want float64"
	case kindMap:
		return "; want a map with keys that are strings"
	case kindNull:
		return "; want struct{}"
	case kindUnion:
		return "; want a struct with a pointer for each branch, tagged with the branch's name"
	}
	return ""
}

// record returns the member of t for each field of n. A member without a field would be
// lost, and a field without a member, so both are mistakes.
func (b *binder) record(n *node, t reflect.Type) []member {
	members, errs := membersOf(t)
	for _, err := range errs {
		b.fail("%w", err)
	}
	out := make([]member, len(n.fields))
	used := make([]bool, len(members))
	for i, f := range n.fields {
		j := find(members, f.name)
		if j < 0 {
			b.fail("%s has no field for %q of %s: add one, or take it out of the schema to read with", t, f.name, n.name)
			continue
		}
		out[i], used[j] = members[j], true
	}
	for j, m := range members {
		if !used[j] {
			b.fail("%s has a field %q and %s has not: tag it with avro:\"-\", or with the field's name", t, m.name, n.name)
		}
	}
	return out
}

// A choice is how a Go type holds a union.
type choice struct {
	null   int      // the place of null, or -1
	alone  int      // the place of the only other branch, or -1 if there are more
	form   form     // of the Go type
	branch []member // of a union in a struct: by place, without null
}

// form is what tells null from a value.
type form int8

const (
	plain   form = iota // no null can be
	nilable             // a slice, a map or a *big.Rat that is nil
	pointed             // a pointer that is nil
	zeroed              // the zero value, by the tag's option
	split               // a struct with one field for each branch, of which all are nil
)

// union says how t holds n; false if it cannot.
func (b *binder) union(n *node, t reflect.Type, omitzero bool) (c choice, ok bool) {
	c.null, c.alone = -1, -1
	others := 0
	for i, branch := range n.branches {
		if branch.kind == kindNull {
			c.null = i
			continue
		}
		c.alone = i
		others++
	}
	switch {
	case others == 0:
		b.misfit(n, t)
		return c, false
	case others == 1 && c.null < 0:
		c.form = plain
	case t.Kind() == reflect.Pointer && t != ratType:
		c.form = pointed
	case others > 1:
		c.form = split
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t == ratType:
		c.form = nilable
	case omitzero:
		c.form = zeroed
	default:
		b.fail("%s may be null and Go's %s cannot: make it a pointer, or tag it with omitzero", n.describe(), t)
		return c, false
	}
	if others > 1 {
		c.alone = -1
	}
	if c.form == split {
		c.branch = b.branches(n, t)
	}
	return c, c.form != split || c.branch != nil
}

// branches returns the member of t for each branch of n but null.
func (b *binder) branches(n *node, t reflect.Type) []member {
	if t.Kind() != reflect.Struct {
		b.misfit(n, t)
		return nil
	}
	members, errs := membersOf(t)
	out := make([]member, len(n.branches))
	found := 0
	for i, branch := range n.branches {
		if branch.kind == kindNull {
			continue
		}
		names := []string{branch.label()}
		if j, ok := n.branch(unqualified(branch.label())); ok && j == i {
			names = append(names, unqualified(branch.label()))
		}
		j := find(members, names...)
		if j < 0 {
			errs = append(errs, fmt.Errorf("%s has no field for the branch %s of a union", t, branch.label()))
			continue
		}
		found++
		out[i] = members[j]
		if k := out[i].typ.Kind(); k != reflect.Pointer && k != reflect.Slice && k != reflect.Map {
			errs = append(errs, fmt.Errorf("%s: the field for the branch %s is no pointer, so it cannot be left out", t, branch.label()))
		}
	}
	if found < len(members) {
		errs = append(errs, fmt.Errorf("%s has more fields than %s has branches", t, n.describe()))
	}
	for _, err := range errs {
		b.fail("%w", err)
	}
	if errs != nil {
		return nil
	}
	return out
}

// isNil is for what is a pointer, a slice or a map: each is nil if its first word is.
func isNil(p unsafe.Pointer) bool { return *(*unsafe.Pointer)(p) == nil }
