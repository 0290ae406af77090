package pebble

import (
	"github.com/leatstream/leat/internal/engine"

	pebbledb "github.com/cockroachdb/pebble/v2"
)

// fill copies b into batch, keys with their namespaces' prefixes.
func fill(batch *pebbledb.Batch, b *engine.Batch) error {
	var ns engine.Namespace
	var prefix []byte
	for i := range b.Ops {
		op := &b.Ops[i]
		if prefix == nil || op.NS != ns { // they come in runs
			if err := validate(op.NS); err != nil {
				return err
			}
			ns, prefix = op.NS, appendPrefix(prefix[:0], op.NS)
		}
		if err := add(batch, prefix, op); err != nil {
			return err
		}
	}
	for ns, p := range b.Positions {
		if err := validate(ns); err != nil {
			return err
		}
		if err := batch.Set(positionKey(ns), encodePosition(p), nil); err != nil {
			return err
		}
	}
	return nil
}

// add appends one change, written straight into the batch's memory.
func add(batch *pebbledb.Batch, prefix []byte, op *engine.Op) error {
	var d *pebbledb.DeferredBatchOp
	switch op.Kind {
	case engine.DeleteBelow:
		return batch.DeleteRange(prefix, append(prefix[:len(prefix):len(prefix)], op.Key...), nil)
	case engine.Delete:
		d = batch.DeleteDeferred(len(prefix) + len(op.Key))
	default:
		d = batch.SetDeferred(len(prefix)+len(op.Key), len(op.Value))
		copy(d.Value, op.Value)
	}
	copy(d.Key[copy(d.Key, prefix):], op.Key)
	return d.Finish()
}
