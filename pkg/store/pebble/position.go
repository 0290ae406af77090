package pebble

import (
	"encoding/binary"
	"fmt"

	pebbledb "github.com/cockroachdb/pebble/v2"

	"github.com/leatstream/leat/internal/engine"
)

// A position is the topic's id, the offset and the time, 16, 8 and 8 bytes.
const positionLen = 16 + 8 + 8

func encodePosition(p engine.Position) []byte {
	b := append(make([]byte, 0, positionLen), p.Topic[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Offset))
	return binary.BigEndian.AppendUint64(b, uint64(p.Time))
}

func decodePosition(b []byte) (p engine.Position, err error) {
	if len(b) != positionLen {
		return p, fmt.Errorf("pebble: %w: a position of %d bytes", engine.ErrCorrupt, len(b))
	}
	copy(p.Topic[:], b)
	p.Offset = int64(binary.BigEndian.Uint64(b[16:]))
	p.Time = int64(binary.BigEndian.Uint64(b[24:]))
	return p, nil
}

// Position implements engine.Engine.
func (e *Engine) Position(ns engine.Namespace) (p engine.Position, ok bool, err error) {
	if err := e.enter(); err != nil {
		return p, false, err
	}
	defer e.calls.RUnlock()
	if err := validate(ns); err != nil {
		return p, false, err
	}
	value, ok, err := e.get(positionKey(ns), nil)
	if ok && err == nil {
		p, err = decodePosition(value)
	}
	return p, ok && err == nil, err
}

// Namespaces implements engine.Engine.
func (e *Engine) Namespaces() (list []engine.Namespace, err error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.calls.RUnlock()
	it, err := e.db.NewIter(&pebbledb.IterOptions{
		LowerBound: []byte{positionPrefix},
		UpperBound: []byte{positionPrefix + 1},
	})
	if err != nil {
		return nil, e.fuse.explain(err)
	}
	for it.First(); it.Valid(); it.Next() {
		key := it.Key()
		name := len(key) - prefixExtra
		list = append(list, engine.Namespace{
			Store:     string(key[1:name]),
			Partition: int32(binary.BigEndian.Uint32(key[name+1:])),
		})
	}
	if err := it.Close(); err != nil {
		return nil, e.fuse.explain(err)
	}
	return list, nil
}
