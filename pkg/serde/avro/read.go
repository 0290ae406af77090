package avro

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

func readNull(*cursor, unsafe.Pointer) error { return nil }

// read makes the function that carries out s into a value of type t.
func (b *binder) read(s *step, t reflect.Type, omitzero bool) readFn {
	switch s.kind {
	case readNothing:
		err := fmt.Errorf("%w: %s", errMismatch, s.why.Reason)
		return func(*cursor, unsafe.Pointer) error { return err }
	case readBranches:
		return b.readBranches(s, t, omitzero)
	case readAsBranch:
		return b.readAsBranch(s, t, omitzero)
	}
	if l := leafOf(s.r, t); l != nil {
		if s.kind == readPromote {
			return promoted(l, s.w.kind, s.r.kind)
		}
		return l.read
	}
	if t.Kind() == reflect.Pointer {
		return readPointer(t.Elem(), b.read(s, t.Elem(), false))
	}
	switch {
	case s.kind == readEnum && t.Kind() == reflect.String:
		return readSymbol(s)
	case s.r.kind == kindArray && t.Kind() == reflect.Slice:
		return b.readSlice(s, t)
	case s.r.kind == kindMap && t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		return b.readMap(s, t)
	case s.kind == readRecord && t.Kind() == reflect.Struct:
		return b.readRecord(s, t)
	}
	b.misfit(s.r, t)
	return readNull
}

var errMismatch = errors.New("cannot be read")

func (b *binder) readBranches(s *step, t reflect.Type, omitzero bool) readFn {
	branches := make([]readFn, len(s.branches))
	for i, branch := range s.branches {
		branches[i] = b.read(branch, t, omitzero)
	}
	return func(c *cursor, p unsafe.Pointer) error {
		i, err := c.choice(len(branches))
		if err != nil {
			return err
		}
		return branches[i](c, p)
	}
}

func (b *binder) readAsBranch(s *step, t reflect.Type, omitzero bool) readFn {
	how, ok := b.union(s.r, t, omitzero)
	if !ok || s.branch == how.null {
		return b.readWriter(s.inner)
	}
	switch how.form {
	case pointed:
		if how.alone < 0 { // a pointer to what holds the other branches
			return readPointer(t.Elem(), b.readAsBranch(s, t.Elem(), false))
		}
		return readPointer(t.Elem(), b.read(s.inner, t.Elem(), false))
	case split:
		m := how.branch[s.branch]
		var inner readFn
		b.in(m.name, func() { inner = b.readHeld(s.inner, m.typ) })
		return func(c *cursor, p unsafe.Pointer) error { return inner(c, unsafe.Add(p, m.offset)) }
	}
	return b.read(s.inner, t, false)
}

// readWriter is for a null, which leaves the value zero.
func (b *binder) readWriter(s *step) readFn {
	skip := b.skips.of(s.w)
	return func(c *cursor, _ unsafe.Pointer) error { return skip(c) }
}

// readHeld reads a branch into its field, which must not be nil then.
func (b *binder) readHeld(s *step, t reflect.Type) readFn {
	if t.Kind() == reflect.Pointer && t != ratType {
		return readPointer(t.Elem(), b.read(s, t.Elem(), false))
	}
	return b.read(s, t, false)
}

func readPointer(elem reflect.Type, inner readFn) readFn {
	return func(c *cursor, p unsafe.Pointer) error {
		q := reflect.New(elem).UnsafePointer()
		*(*unsafe.Pointer)(p) = q
		return inner(c, q)
	}
}

func readSymbol(s *step) readFn {
	return func(c *cursor, p unsafe.Pointer) error {
		i, err := c.choice(len(s.symbols))
		if err != nil {
			return err
		}
		j := s.symbols[i]
		if j < 0 {
			return fmt.Errorf("%w: %s has no symbol %s", errMismatch, s.r.name, s.w.symbols[i])
		}
		*(*string)(p) = s.r.symbols[j]
		return nil
	}
}

// ahead is how many bytes of items are made before the first of them has been read: a
// block's number of items is only a claim.
const ahead = 64 << 10

func (b *binder) readSlice(s *step, t reflect.Type) readFn {
	var item readFn
	b.in("[]", func() { item = b.read(s.item, t.Elem(), false) })
	least, size := weight(s.w), t.Elem().Size()
	first := ahead/(int(size)+1) + 1
	return func(c *cursor, p unsafe.Pointer) error {
		if err := c.enter(); err != nil {
			return err
		}
		v := reflect.NewAt(t, p).Elem()
		read := 0
		for {
			left, err := c.block(least)
			if err != nil {
				return err
			}
			if left == 0 {
				break
			}
			for left > 0 {
				n := min(left, max(first, read))
				v.Grow(n)
				v.SetLen(read + n)
				items := *(*unsafe.Pointer)(p)
				for range n {
					if err := item(c, unsafe.Add(items, uintptr(read)*size)); err != nil {
						return withinItem(err, read)
					}
					read++
				}
				left -= n
			}
		}
		if read == 0 {
			*(*[]struct{})(p) = []struct{}{} // empty, not nil
		}
		c.leave()
		return nil
	}
}

// A part reads one field of the writer's record, or makes one that it lacks.
type part struct {
	read   readFn
	offset uintptr
	name   string
}

func (b *binder) readRecord(s *step, t reflect.Type) readFn {
	key := readKey{s, t}
	if made := b.reads[key]; made != nil {
		return func(c *cursor, p unsafe.Pointer) error { return (*made)(c, p) }
	}
	made := new(readFn)
	b.reads[key] = made
	parts := b.parts(s, b.record(s.r, t))
	*made = func(c *cursor, p unsafe.Pointer) error {
		if err := c.enter(); err != nil {
			return err
		}
		for i := range parts {
			f := &parts[i]
			if err := f.read(c, unsafe.Add(p, f.offset)); err != nil {
				return within(err, f.name)
			}
		}
		c.leave()
		return nil
	}
	return *made
}

func (b *binder) parts(s *step, members []member) []part {
	parts := make([]part, 0, len(s.fields)+len(s.absent))
	for i, f := range s.fields {
		name := s.w.fields[i].name
		if f.place < 0 {
			skip := b.skips.of(s.w.fields[i].node)
			parts = append(parts, part{name: name, read: func(c *cursor, _ unsafe.Pointer) error { return skip(c) }})
			continue
		}
		if m := members[f.place]; m.typ != nil {
			b.in(name, func() { parts = append(parts, part{b.read(f.step, m.typ, m.omitzero), m.offset, name}) })
		}
	}
	for _, place := range s.absent {
		f, m := s.r.fields[place], members[place]
		if m.typ == nil {
			continue
		}
		b.in(f.name, func() {
			same, _ := resolve(f.node, f.node)
			inner := b.read(same, m.typ, m.omitzero)
			parts = append(parts, part{name: f.name, offset: m.offset, read: func(c *cursor, p unsafe.Pointer) error {
				buf, pos := c.buf, c.pos
				c.buf, c.pos = f.preset, 0
				err := inner(c, p)
				c.buf, c.pos = buf, pos
				return err
			}})
		})
	}
	return parts
}
