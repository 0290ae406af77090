package avro

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"
	"uuid"
)

// A nativeWriter turns a value into what goavro encodes. It checks everything, so that
// goavro finds nothing that is wrong.
type nativeWriter struct {
	*generic
	depth int
}

func (w *nativeWriter) native(n *node, v any) (any, error) {
	switch n.kind {
	case kindNull:
		if v != nil {
			return nil, errType(v, n)
		}
		return nil, nil
	case kindBoolean:
		return want[bool](n, v)
	case kindInt, kindLong:
		return nativeNumber(n, v)
	case kindFloat:
		return want[float32](n, v)
	case kindDouble:
		return want[float64](n, v)
	case kindString:
		if id, ok := v.(uuid.UUID); ok && n.logical == uuidType {
			return id.String(), nil
		}
		return want[string](n, v)
	case kindBytes, kindFixed:
		return nativeBytes(n, v)
	case kindEnum:
		s, err := want[string](n, v)
		if _, ok := n.index[s]; err == nil && !ok {
			return nil, fmt.Errorf("%q is no symbol of %s", s, n.name)
		}
		return s, err
	case kindUnion:
		return w.union(n, v)
	}
	if w.depth++; w.depth > MaxDepth {
		return nil, errDeep
	}
	defer func() { w.depth-- }()
	switch n.kind {
	case kindArray:
		return w.items(n, v)
	case kindMap:
		return w.entries(n, v)
	}
	return w.record(n, v)
}

func want[T any](n *node, v any) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, errType(v, n)
	}
	return t, nil
}

func nativeNumber(n *node, v any) (any, error) {
	var i int64
	var err error
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
			return nil, errType(v, n)
		}
		i, err = numberOf(l, v)
	case time.Duration:
		if l != timeMillis && l != timeMicros {
			return nil, errType(v, n)
		}
		i, err = clockNumber(l, v)
	default:
		return nil, errType(v, n)
	}
	if err == nil && n.kind == kindInt && i != int64(int32(i)) {
		err = errNumber(i, n.kind.String())
	}
	if n.kind == kindInt {
		return int32(i), err
	}
	return i, err
}

func nativeBytes(n *node, v any) (b []byte, err error) {
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

func (w *nativeWriter) union(n *node, v any) (any, error) {
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
			return nil, fmt.Errorf("%s has no branch %q", n.describe(), b.Name)
		}
		v = b.Value
	}
	if at < 0 {
		return nil, errType(v, n)
	}
	branch := n.branches[at]
	native, err := w.native(branch, v)
	if err != nil || branch.kind == kindNull {
		return nil, err
	}
	return map[string]any{w.physical.label(branch): native}, nil
}

func (w *nativeWriter) items(n *node, v any) (any, error) {
	items, err := want[[]any](n, v)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(items))
	for i, item := range items {
		if out[i], err = w.native(n.item, item); err != nil {
			return nil, withinItem(err, i)
		}
	}
	return out, nil
}

func (w *nativeWriter) entries(n *node, v any) (any, error) {
	m, err := want[map[string]any](n, v)
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		value, err := w.native(n.item, m[key])
		if err != nil {
			return nil, withinKey(err, key)
		}
		out = append(out, map[string]any{keyField: key, valueField: value})
	}
	return map[string]any{entriesField: out}, nil
}

func (w *nativeWriter) record(n *node, v any) (any, error) {
	m, err := want[map[string]any](n, v)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(n.fields))
	found := 0
	for _, f := range n.fields {
		value, ok := m[f.name]
		preset := w.presets[f]
		switch {
		case ok:
			found++
		case preset == nil:
			return nil, within(fmt.Errorf("is missing and has no default"), f.name)
		default:
			if value, err = preset(); err != nil {
				return nil, within(err, f.name)
			}
		}
		if out[f.name], err = w.native(f.node, value); err != nil {
			return nil, within(err, f.name)
		}
	}
	if found < len(m) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !slices.ContainsFunc(n.fields, func(f *field) bool { return f.name == key }) {
				return nil, fmt.Errorf("%s has no field %q", n.name, key)
			}
		}
	}
	return out, nil
}
