package avro

import (
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// readMap has a faster way for the maps that are met most: reflection allocates for
// each entry.
func (b *binder) readMap(s *step, t reflect.Type) readFn {
	var item readFn
	b.in("[]", func() { item = b.read(s.item, t.Elem(), false) })
	switch least := weight(s.w); t.Elem() {
	case reflect.TypeFor[string]():
		return readMapOf[string](item, least)
	case reflect.TypeFor[int64]():
		return readMapOf[int64](item, least)
	case reflect.TypeFor[float64]():
		return readMapOf[float64](item, least)
	}
	return readAnyMap(t, item, weight(s.w))
}

// readMapOf is for every type whose keys are of the kind string: they all are the same
// in memory.
func readMapOf[V any](item readFn, least int) readFn {
	return func(c *cursor, p unsafe.Pointer) error {
		var m map[string]V
		var zero V
		value := new(V)
		err := readEntries(c, least, func(count int) {
			if m == nil {
				m = make(map[string]V, min(count, ahead/64))
			}
		}, func(key string) error {
			*value = zero
			err := item(c, unsafe.Pointer(value))
			m[key] = *value
			return err
		})
		if m == nil {
			m = map[string]V{}
		}
		*(*map[string]V)(p) = m
		return err
	}
}

func readAnyMap(t reflect.Type, item readFn, least int) readFn {
	return func(c *cursor, p unsafe.Pointer) error {
		m := reflect.MakeMap(t)
		key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem())
		err := readEntries(c, least, func(int) {}, func(k string) error {
			key.SetString(k)
			value.Elem().SetZero()
			err := item(c, value.UnsafePointer())
			m.SetMapIndex(key, value.Elem())
			return err
		})
		reflect.NewAt(t, p).Elem().Set(m)
		return err
	}
}

// readEntries calls block with the number of entries of each, and entry with each key.
func readEntries(c *cursor, least int, block func(int), entry func(key string) error) error {
	if err := c.enter(); err != nil {
		return err
	}
	for {
		left, err := c.block(least)
		if err != nil {
			return err
		}
		if left == 0 {
			c.leave()
			return nil
		}
		block(left)
		for range left {
			k, err := c.bytes()
			if err != nil {
				return within(err, "key")
			}
			key := c.text(k)
			if err := entry(key); err != nil {
				return withinKey(err, key)
			}
		}
	}
}

// writeMap writes the entries in the order of their keys: equal maps have equal bytes.
func (b *binder) writeMap(n *node, t reflect.Type) writeFn {
	var item writeFn
	b.in("[]", func() { item = b.write(n.item, t.Elem(), false) })
	switch t.Elem() {
	case reflect.TypeFor[string]():
		return writeMapOf[string](item)
	case reflect.TypeFor[int64]():
		return writeMapOf[int64](item)
	case reflect.TypeFor[float64]():
		return writeMapOf[float64](item)
	}
	return writeAnyMap(t, item)
}

func writeMapOf[V any](item writeFn) writeFn {
	return func(e *encoder, p unsafe.Pointer) error {
		m := *(*map[string]V)(p)
		if err := e.begin(len(m)); err != nil {
			return err
		}
		first := len(e.keys) // those before are of maps around this one
		for k := range m {
			e.keys = append(e.keys, k)
		}
		keys := e.keys[first:]
		slices.Sort(keys)
		value := new(V)
		for _, k := range keys {
			*value = m[k]
			e.key(k)
			if err := item(e, unsafe.Pointer(value)); err != nil {
				return withinKey(err, k)
			}
		}
		e.keys = e.keys[:first]
		e.end()
		return nil
	}
}

func writeAnyMap(t reflect.Type, item writeFn) writeFn {
	type entry struct {
		key   string
		value unsafe.Pointer
	}
	values := reflect.SliceOf(t.Elem())
	return func(e *encoder, p unsafe.Pointer) error {
		m := reflect.NewAt(t, p).Elem()
		if err := e.begin(m.Len()); err != nil {
			return err
		}
		entries := make([]entry, 0, m.Len())
		copies := reflect.MakeSlice(values, m.Len(), m.Len())
		key := reflect.New(t.Key()).Elem()
		for it := m.MapRange(); it.Next(); {
			key.SetIterKey(it)
			v := copies.Index(len(entries))
			v.SetIterValue(it)
			entries = append(entries, entry{key.String(), v.Addr().UnsafePointer()})
		}
		slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
		for _, x := range entries {
			e.key(x.key)
			if err := item(e, x.value); err != nil {
				return withinKey(err, x.key)
			}
		}
		e.end()
		return nil
	}
}

// begin writes the beginning of an array or map: one block holds all its items.
func (e *encoder) begin(count int) error {
	if count > 0 {
		e.buf = binary.AppendVarint(e.buf, int64(count))
	}
	return e.enter()
}

func (e *encoder) key(k string) {
	e.buf = append(binary.AppendVarint(e.buf, int64(len(k))), k...)
}

// end writes the end of an array or map, which is a block of no items.
func (e *encoder) end() {
	e.buf = append(e.buf, 0)
	e.leave()
}
