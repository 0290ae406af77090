package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

var errNil = errors.New("is nil, and the schema has no null here")

// write makes the function that writes a value of type t by n.
func (b *binder) write(n *node, t reflect.Type, omitzero bool) writeFn {
	if n.kind == kindUnion {
		return b.writeUnion(n, t, omitzero)
	}
	if l := leafOf(n, t); l != nil {
		return l.write
	}
	if t.Kind() == reflect.Pointer {
		inner := b.write(n, t.Elem(), false)
		return func(e *encoder, p unsafe.Pointer) error {
			if isNil(p) {
				return errNil
			}
			return inner(e, *(*unsafe.Pointer)(p))
		}
	}
	switch {
	case n.kind == kindEnum && t.Kind() == reflect.String:
		return writeSymbol(n)
	case n.kind == kindArray && t.Kind() == reflect.Slice:
		return b.writeSlice(n, t)
	case n.kind == kindMap && t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		return b.writeMap(n, t)
	case n.kind == kindRecord && t.Kind() == reflect.Struct:
		return b.writeRecord(n, t)
	}
	b.misfit(n, t)
	return func(*encoder, unsafe.Pointer) error { return nil }
}

func writeSymbol(n *node) writeFn {
	return func(e *encoder, p unsafe.Pointer) error {
		i, ok := n.index[*(*string)(p)]
		if !ok {
			return fmt.Errorf("%q is no symbol of %s", *(*string)(p), n.name)
		}
		e.buf = binary.AppendVarint(e.buf, int64(i))
		return nil
	}
}

func (b *binder) writeUnion(n *node, t reflect.Type, omitzero bool) writeFn {
	how, ok := b.union(n, t, omitzero)
	if !ok {
		return nil
	}
	var inner writeFn
	switch {
	case how.form == split:
		return b.writeSplit(n, how)
	case how.form == pointed && how.alone < 0:
		inner = b.writeUnion(n, t.Elem(), false) // which writes the place too
		how.alone = len(n.branches)
	case how.form == pointed:
		inner = b.write(n.branches[how.alone], t.Elem(), false)
	default:
		inner = b.write(n.branches[how.alone], t, false)
	}
	null, place := binary.AppendVarint(nil, int64(how.null)), binary.AppendVarint(nil, int64(how.alone))
	if how.alone == len(n.branches) {
		place = nil
	}
	return func(e *encoder, p unsafe.Pointer) error {
		absent := false
		switch how.form {
		case nilable, pointed:
			absent = isNil(p)
		case zeroed:
			absent = reflect.NewAt(t, p).Elem().IsZero()
		}
		if absent {
			if how.null < 0 {
				return errNil
			}
			e.buf = append(e.buf, null...)
			return nil
		}
		e.buf = append(e.buf, place...)
		if how.form == pointed {
			p = *(*unsafe.Pointer)(p)
		}
		return inner(e, p)
	}
}

// writeSplit writes the one field of a struct that is not nil.
func (b *binder) writeSplit(n *node, how choice) writeFn {
	type branch struct {
		member
		place int
		write writeFn
	}
	var branches []branch
	for i, m := range how.branch {
		if m.typ != nil {
			b.in(m.name, func() { branches = append(branches, branch{m, i, b.write(n.branches[i], m.typ, false)}) })
		}
	}
	return func(e *encoder, p unsafe.Pointer) error {
		var chosen *branch
		for i := range branches {
			switch {
			case isNil(unsafe.Add(p, branches[i].offset)):
			case chosen != nil:
				return fmt.Errorf("has two branches of a union at once, %s and %s", chosen.name, branches[i].name)
			default:
				chosen = &branches[i]
			}
		}
		if chosen == nil {
			if how.null < 0 {
				return fmt.Errorf("has no branch of %s", n.describe())
			}
			e.buf = binary.AppendVarint(e.buf, int64(how.null))
			return nil
		}
		e.buf = binary.AppendVarint(e.buf, int64(chosen.place))
		if err := chosen.write(e, unsafe.Add(p, chosen.offset)); err != nil {
			return within(err, chosen.name)
		}
		return nil
	}
}

func (b *binder) writeSlice(n *node, t reflect.Type) writeFn {
	var item writeFn
	b.in("[]", func() { item = b.write(n.item, t.Elem(), false) })
	size := t.Elem().Size()
	return func(e *encoder, p unsafe.Pointer) error {
		items, count := *(*unsafe.Pointer)(p), len(*(*[]struct{})(p))
		if err := e.begin(count); err != nil {
			return err
		}
		for i := range count {
			if err := item(e, unsafe.Add(items, uintptr(i)*size)); err != nil {
				return withinItem(err, i)
			}
		}
		e.end()
		return nil
	}
}

func (b *binder) writeRecord(n *node, t reflect.Type) writeFn {
	key := writeKey{n, t}
	if made := b.writes[key]; made != nil {
		return func(e *encoder, p unsafe.Pointer) error { return (*made)(e, p) }
	}
	made := new(writeFn)
	b.writes[key] = made
	type part struct {
		write  writeFn
		offset uintptr
	}
	parts := make([]part, 0, len(n.fields))
	for i, m := range b.record(n, t) {
		if m.typ != nil {
			b.in(n.fields[i].name, func() { parts = append(parts, part{b.write(n.fields[i].node, m.typ, m.omitzero), m.offset}) })
		}
	}
	*made = func(e *encoder, p unsafe.Pointer) error {
		if err := e.enter(); err != nil {
			return err
		}
		for i := range parts {
			if err := parts[i].write(e, unsafe.Add(p, parts[i].offset)); err != nil {
				return within(err, n.fields[i].name)
			}
		}
		e.leave()
		return nil
	}
	return *made
}
