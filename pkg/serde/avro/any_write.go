package avro

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"time"
	"uuid"
)

// anyValue appends the encoding of v, whose type is known only now. goavro would do it, too,
// of a copy of all of v in the form that it wants, which takes six to ten times as long; it
// is left the reading, and so reads in the tests what is written here.
func (e *encoder) anyValue(n *node, v any) (err error) {
	switch n.kind {
	case kindNull:
		if v != nil {
			return errType(v, n)
		}
	case kindBoolean:
		var b bool
		b, err = want[bool](n, v)
		e.buf = appendBool(e.buf, b)
	case kindInt, kindLong:
		var i int64
		i, err = anyNumber(n, v)
		e.buf = binary.AppendVarint(e.buf, i)
	case kindFloat:
		var f float32
		f, err = want[float32](n, v)
		e.buf = binary.LittleEndian.AppendUint32(e.buf, math.Float32bits(f))
	case kindDouble:
		var f float64
		f, err = want[float64](n, v)
		e.buf = binary.LittleEndian.AppendUint64(e.buf, math.Float64bits(f))
	case kindString:
		if id, ok := v.(uuid.UUID); ok && n.logical == uuidType {
			v = id.String()
		}
		var s string
		s, err = want[string](n, v)
		e.key(s)
	case kindBytes, kindFixed:
		var b []byte
		b, err = anyBytes(n, v)
		if n.kind == kindBytes {
			e.buf = binary.AppendVarint(e.buf, int64(len(b)))
		}
		e.buf = append(e.buf, b...)
	case kindEnum:
		var s string
		s, err = want[string](n, v)
		i, ok := n.index[s]
		if err == nil && !ok {
			err = fmt.Errorf("%q is no symbol of %s", s, n.name)
		}
		e.buf = binary.AppendVarint(e.buf, int64(i))
	case kindUnion:
		return e.anyBranch(n, v)
	case kindArray:
		return e.anyItems(n, v)
	case kindMap:
		return e.anyEntries(n, v)
	case kindRecord:
		return e.anyRecord(n, v)
	}
	return err
}

func want[T any](n *node, v any) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, errType(v, n)
	}
	return t, nil
}

func anyNumber(n *node, v any) (i int64, err error) {
	l := n.logical
	switch v := v.(type) {
	case int:
		i = int64(v)
	case int32:
		i = int64(v)
	case int64:
		i = v
	case time.Time:
		if l != date && l < timestampMillis || l > localNanos {
			return 0, errType(v, n)
		}
		i, err = numberOf(l, v)
	case time.Duration:
		if l != timeMillis && l != timeMicros {
			return 0, errType(v, n)
		}
		i, err = clockNumber(l, v)
	default:
		return 0, errType(v, n)
	}
	if err == nil && n.kind == kindInt && i != int64(int32(i)) {
		err = errNumber(i, n.kind.String())
	}
	return i, err
}

func anyBytes(n *node, v any) (b []byte, err error) {
	switch v := v.(type) {
	case []byte:
		b = v
	case *big.Rat:
		if n.logical != decimal {
			return nil, errType(v, n)
		}
		b, err = ratBytes(v, n, powerOf(n))
	case uuid.UUID:
		if n.logical != uuidType {
			return nil, errType(v, n)
		}
		b = v[:]
	case Duration:
		if n.logical != duration {
			return nil, errType(v, n)
		}
		b = appendDuration(nil, v)
	default:
		return nil, errType(v, n)
	}
	if err == nil && n.kind == kindFixed && len(b) != n.size {
		err = fmt.Errorf("has %d bytes, want %d", len(b), n.size)
	}
	return b, err
}

func (e *encoder) anyBranch(n *node, v any) error {
	null, _, optional := n.optional()
	at := -1
	switch b, ok := v.(Branch); {
	case v == nil:
		at = slices.IndexFunc(n.branches, func(b *node) bool { return b.kind == kindNull })
	case optional:
		at = 1 - null
	case len(n.branches) == 1:
		at = 0
	case ok:
		if at, ok = n.branch(b.Name); !ok {
			return fmt.Errorf("%s has no branch %q", n.describe(), b.Name)
		}
		v = b.Value
	}
	if at < 0 {
		return errType(v, n)
	}
	e.buf = binary.AppendVarint(e.buf, int64(at))
	return e.anyValue(n.branches[at], v)
}

func (e *encoder) anyItems(n *node, v any) error {
	items, err := want[[]any](n, v)
	if err != nil {
		return err
	}
	if err := e.begin(len(items)); err != nil {
		return err
	}
	for i, item := range items {
		if err := e.anyValue(n.item, item); err != nil {
			return withinItem(err, i)
		}
	}
	e.end()
	return nil
}

func (e *encoder) anyEntries(n *node, v any) error {
	m, err := want[map[string]any](n, v)
	if err != nil {
		return err
	}
	if err := e.begin(len(m)); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		e.key(key)
		if err := e.anyValue(n.item, m[key]); err != nil {
			return withinKey(err, key)
		}
	}
	e.end()
	return nil
}

func (e *encoder) anyRecord(n *node, v any) error {
	m, err := want[map[string]any](n, v)
	if err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	found := 0
	for _, f := range n.fields {
		value, ok := m[f.name]
		switch {
		case ok:
			found++
			if err := e.anyValue(f.node, value); err != nil {
				return within(err, f.name)
			}
		case f.preset == nil:
			return within(fmt.Errorf("is missing and has no default"), f.name)
		default:
			e.buf = append(e.buf, f.preset...)
		}
	}
	e.leave()
	if found == len(m) {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.ContainsFunc(n.fields, func(f *field) bool { return f.name == key }) {
			return fmt.Errorf("%s has no field %q", n.name, key)
		}
	}
	return nil
}
