package avro

import (
	"encoding/binary"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// A presetter encodes a default, which is how a reader finds it: as if the writer had
// written it. Records in it whose own fields have defaults can be nested without end,
// and a union's branches are tried one by one.
type presetter struct {
	steps int
	depth int
}

const maxPreset = 1 << 16 // types in one default

func (p *presetter) append(b []byte, n *node, v jsontext.Value) ([]byte, error) {
	if p.steps++; p.steps > maxPreset || p.depth > maxNesting {
		return nil, errors.New("is without end")
	}
	p.depth++
	defer func() { p.depth-- }()
	ok := false
	switch n.kind {
	case kindNull:
		ok = v.Kind() == 'n'
	case kindBoolean:
		if ok = v.Kind() == 't' || v.Kind() == 'f'; ok {
			b = appendBool(b, v.Kind() == 't')
		}
	case kindInt, kindLong:
		var i int64
		if i, ok = integer(v); ok && (n.kind == kindLong || i == int64(int32(i))) {
			b = binary.AppendVarint(b, i)
		} else {
			ok = false
		}
	case kindFloat, kindDouble:
		if ok = v.Kind() == '0'; ok {
			b = appendPresetFloat(b, n.kind, v)
		}
	case kindString, kindBytes, kindFixed, kindEnum:
		return appendPresetText(b, n, v)
	case kindArray, kindMap:
		return p.items(b, n, v)
	case kindRecord:
		return p.record(b, n, v)
	case kindUnion:
		for i, branch := range n.branches {
			if out, err := p.append(binary.AppendVarint(b, int64(i)), branch, v); err == nil {
				return out, nil
			}
		}
	}
	if !ok {
		return nil, fmt.Errorf("%s is no %s", clip(v), n.describe())
	}
	return b, nil
}

// integer takes 1.0 for no integer, as Java does.
func integer(v jsontext.Value) (int64, bool) {
	i, err := strconv.ParseInt(string(v), 10, 64)
	return i, err == nil
}

func appendPresetFloat(b []byte, k kind, v jsontext.Value) []byte {
	f, _ := strconv.ParseFloat(string(v), 64) // out of range is infinity, as in Java
	if k == kindFloat {
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
	}
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendPresetText(b []byte, n *node, v jsontext.Value) ([]byte, error) {
	var text string
	if v.Kind() != '"' || json.Unmarshal(v, &text) != nil {
		return nil, fmt.Errorf("%s is no %s", clip(v), n.describe())
	}
	switch n.kind {
	case kindString:
		return append(binary.AppendVarint(b, int64(len(text))), text...), nil
	case kindEnum:
		i, ok := n.index[text]
		if !ok {
			return nil, fmt.Errorf("%q is no symbol of %s", text, n.describe())
		}
		return binary.AppendVarint(b, int64(i)), nil
	}
	raw := make([]byte, 0, len(text))
	for _, c := range text { // each character is a byte
		if c > 255 {
			return nil, fmt.Errorf("%s has a character beyond U+00FF", clip(v))
		}
		raw = append(raw, byte(c))
	}
	if n.kind == kindBytes {
		b = binary.AppendVarint(b, int64(len(raw)))
	} else if len(raw) != n.size {
		return nil, fmt.Errorf("%s has %d bytes, want %d", clip(v), len(raw), n.size)
	}
	return append(b, raw...), nil
}

func (p *presetter) items(b []byte, n *node, v jsontext.Value) (_ []byte, err error) {
	var items []jsontext.Value
	var keys []string
	if n.kind == kindArray && v.Kind() == '[' {
		err = json.Unmarshal(v, &items)
	} else if n.kind == kindMap && v.Kind() == '{' {
		var entries map[string]jsontext.Value
		err = json.Unmarshal(v, &entries, jsontext.AllowDuplicateNames(true))
		keys = slices.Sorted(maps.Keys(entries))
		for _, k := range keys {
			items = append(items, entries[k])
		}
	} else {
		err = fmt.Errorf("%s is no %s", clip(v), n.describe())
	}
	if err == nil && len(items) > 0 {
		b = binary.AppendVarint(b, int64(len(items)))
		for i, item := range items {
			if n.kind == kindMap {
				b = append(binary.AppendVarint(b, int64(len(keys[i]))), keys[i]...)
			}
			if b, err = p.append(b, n.item, item); err != nil {
				return nil, err
			}
		}
	}
	return append(b, 0), err
}

func (p *presetter) record(b []byte, n *node, v jsontext.Value) ([]byte, error) {
	var members map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &members, jsontext.AllowDuplicateNames(true)) != nil {
		return nil, fmt.Errorf("%s is no %s", clip(v), n.describe())
	}
	for _, f := range n.fields {
		m, ok := members[f.name]
		if !ok {
			m = f.given
		}
		if m == nil {
			return nil, fmt.Errorf("%s has no member for field %q, which has no default", clip(v), f.name)
		}
		var err error
		if b, err = p.append(b, f.node, m); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return b, nil
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
