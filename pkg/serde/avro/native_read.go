package avro

import (
	"bytes"
	"fmt"
)

// A nativeReader carries out the steps on what goavro made of an encoding.
type nativeReader struct {
	physical *physical
	presets  map[*field]func() (any, error)
}

func (r *nativeReader) value(s *step, v any) (any, error) {
	switch s.kind {
	case readNothing:
		return nil, fmt.Errorf("%w: %s", errMismatch, s.why.Reason)
	case readBranches:
		for i, b := range s.w.branches {
			if b.kind == kindNull && v == nil {
				return r.value(s.branches[i], nil)
			}
			if m, ok := v.(map[string]any); ok {
				if inner, ok := m[r.physical.label(b)]; ok {
					return r.value(s.branches[i], inner)
				}
			}
		}
	case readAsBranch:
		inner, err := r.value(s.inner, v)
		branch := s.r.branches[s.branch]
		if _, _, ok := s.r.optional(); ok || err != nil || branch.kind == kindNull || len(s.r.branches) == 1 {
			return inner, err
		}
		return Branch{Name: branch.label(), Value: inner}, nil
	case readPromote:
		return logicalValue(s.r, promote(v, s.r.kind))
	case readEnum:
		j := s.symbols[s.w.index[v.(string)]]
		if j < 0 {
			return nil, fmt.Errorf("%w: %s has no symbol %s", errMismatch, s.r.name, v)
		}
		return s.r.symbols[j], nil
	case readItems:
		if s.w.kind == kindMap {
			return r.entries(s, v)
		}
		return r.items(s, v.([]any))
	case readRecord:
		return r.record(s, v.(map[string]any))
	}
	return logicalValue(s.r, v)
}

func (r *nativeReader) items(s *step, items []any) (any, error) {
	for i, item := range items {
		var err error
		if items[i], err = r.value(s.item, item); err != nil {
			return nil, withinItem(err, i)
		}
	}
	return items, nil
}

func (r *nativeReader) entries(s *step, v any) (any, error) {
	entries := v.(map[string]any)[entriesField].([]any)
	out := make(map[string]any, len(entries))
	for _, e := range entries {
		entry := e.(map[string]any)
		key := entry[keyField].(string)
		value, err := r.value(s.item, entry[valueField])
		if err != nil {
			return nil, withinKey(err, key)
		}
		out[key] = value
	}
	return out, nil
}

func (r *nativeReader) record(s *step, v map[string]any) (any, error) {
	out := v // goavro's own map will do, unless names are to go
	if s.renamed {
		out = make(map[string]any, len(s.r.fields))
	}
	for i, f := range s.fields {
		if f.place < 0 || !s.renamed && f.step.asNative() {
			continue
		}
		name := s.w.fields[i].name
		value, err := r.value(f.step, v[name])
		if err != nil {
			return nil, within(err, name)
		}
		out[s.r.fields[f.place].name] = value
	}
	for _, place := range s.absent {
		f := s.r.fields[place]
		value, err := r.presets[f]()
		if err != nil {
			return nil, within(err, f.name)
		}
		out[f.name] = value
	}
	return out, nil
}

// asNative reports whether goavro's value is ours already.
func (s *step) asNative() bool {
	return s.kind == readSame && s.r.logical == none && s.r.kind != kindBytes && s.r.kind != kindFixed
}

// promote makes what goavro reads as one type what it would read as k.
func promote(v any, k kind) any {
	switch v := v.(type) {
	case int32:
		switch k {
		case kindLong:
			return int64(v)
		case kindFloat:
			return float32(v)
		}
		return float64(v)
	case int64:
		if k == kindFloat {
			return float32(v)
		}
		return float64(v)
	case float32:
		return float64(v)
	case string:
		return []byte(v)
	case []byte:
		return string(v)
	}
	return v
}

// logicalValue turns goavro's value of n into ours. Bytes are copied: goavro's are those
// of the source.
func logicalValue(n *node, v any) (any, error) {
	switch v := v.(type) {
	case int32:
		return logicalNumber(n, v, int64(v))
	case int64:
		return logicalNumber(n, v, v)
	case string:
		if n.logical == uuidType {
			return parseUUID([]byte(v))
		}
	case []byte:
		switch n.logical {
		case decimal:
			return ratOf(v, powerOf(n))
		case uuidType:
			return uuidOf(v), nil
		case duration:
			return durationOf(v), nil
		}
		return bytes.Clone(v), nil
	case map[string]any:
		return []byte{}, nil // a fixed of no bytes: see physical.write
	}
	return v, nil
}

func logicalNumber(n *node, raw any, v int64) (any, error) {
	switch n.logical {
	case none:
		return raw, nil
	case timeMillis, timeMicros:
		return clockOf(n.logical, v)
	}
	return timeOf(n.logical, v), nil
}
