package pebble

import (
	"errors"

	pebbledb "github.com/cockroachdb/pebble/v2"
)

// An iterator walks over the database as it was when the iterator was made.
type iterator struct {
	engine  *Engine
	it      *pebbledb.Iterator
	prefix  int // length of the namespace's prefix
	reverse bool
	started bool
	closed  bool
	value   []byte
	err     error // the first one met by Next
}

func (i *iterator) Next() bool {
	if i.closed || i.err != nil || !i.alive() || !i.step() {
		return false
	}
	i.value, i.err = i.it.ValueAndErr()
	if i.value == nil {
		i.value = []byte{} // an empty value is not nil
	}
	return i.err == nil
}

func (i *iterator) step() bool {
	first := !i.started
	i.started = true
	switch {
	case first && i.reverse:
		return i.it.Last()
	case first:
		return i.it.First()
	case i.reverse:
		return i.it.Prev()
	default:
		return i.it.Next()
	}
}

// alive keeps a leaked iterator off the memory of a closed database.
func (i *iterator) alive() bool {
	if i.engine.closed.Load() {
		i.err = errClosed
		return false
	}
	return true
}

func (i *iterator) Key() []byte   { return i.it.Key()[i.prefix:] }
func (i *iterator) Value() []byte { return i.value }

func (i *iterator) Close() error {
	if i.closed {
		return errors.New("pebble: iterator closed twice")
	}
	i.closed = true
	if !i.alive() {
		return errClosed
	}
	i.engine.iterators.Add(-1)
	err := i.it.Close()
	if i.err != nil {
		err = i.err
	}
	return i.engine.fuse.explain(err)
}
