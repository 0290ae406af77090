// Package memory keeps namespaces in memory, in order. What it holds is gone
// when it is closed: its owner restores it from the changelogs.
package memory

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/leatstream/leat/internal/engine"
)

// An Engine is an engine.Engine in memory. It copies the keys and values it is
// given and returns copies.
//
// Lock order: Engine.mu, then table.mu of several tables in the order of their
// namespaces.
type Engine struct {
	iterators atomic.Int64 // open ones

	mu struct {
		sync.RWMutex
		tables map[engine.Namespace]*table // one is never removed, Drop empties it
		closed bool
	}
}

var _ engine.Engine = (*Engine)(nil)

var errClosed = errors.New("memory engine: closed")

// New returns an empty engine.
func New() *Engine {
	e := &Engine{}
	e.mu.tables = map[engine.Namespace]*table{}
	return e
}

// Get implements engine.Engine. A Write of the same namespace holds it up.
func (e *Engine) Get(ns engine.Namespace, key, dst []byte) ([]byte, bool, error) {
	t, err := e.lookup(ns)
	if t == nil {
		return dst, false, err
	}
	found, ok := t.get(key)
	if !ok {
		return dst, false, nil
	}
	if dst == nil {
		dst = []byte{} // an empty value is not nil
	}
	return append(dst, found.value()...), true, nil
}

// Range implements engine.Engine. It costs no more for a large namespace than
// for a small one.
func (e *Engine) Range(ns engine.Namespace, lo, hi []byte, reverse bool) (engine.Iterator, error) {
	t, err := e.lookup(ns)
	if err != nil {
		return nil, err
	}
	e.iterators.Add(1)
	it := &iterator{engine: e, lo: newEntry(lo, nil), hi: newEntry(hi, nil), open: hi == nil, reverse: reverse}
	it.key, it.value = []byte{}, []byte{} // an empty value is not nil
	if t != nil {
		it.cursor = t.snapshot().Iter()
	}
	return it, nil
}

// Position implements engine.Engine.
func (e *Engine) Position(ns engine.Namespace) (engine.Position, bool, error) {
	t, err := e.lookup(ns)
	if t == nil {
		return engine.Position{}, false, err
	}
	p, ok := t.at()
	return p, ok, nil
}

// Namespaces implements engine.Engine.
func (e *Engine) Namespaces() ([]engine.Namespace, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.mu.closed {
		return nil, errClosed
	}
	var list []engine.Namespace
	for ns, t := range e.mu.tables {
		if _, ok := t.at(); ok {
			list = append(list, ns)
		}
	}
	slices.SortFunc(list, engine.Namespace.Compare)
	return list, nil
}

// Write implements engine.Engine. Other namespaces than those of b are not
// held up.
func (e *Engine) Write(b *engine.Batch) error {
	tables, err := e.lock(b)
	if err != nil {
		return err
	}
	for ops := b.Ops; len(ops) > 0; {
		n := engine.Run(ops)
		tables[ops[0].NS].change(ops[:n])
		ops = ops[n:]
	}
	for ns, p := range b.Positions {
		tables[ns].place(p)
	}
	for _, t := range tables {
		t.mu.Unlock()
	}
	return nil
}

// Drop implements engine.Engine. Iterators that are open keep what they see.
func (e *Engine) Drop(ns engine.Namespace) error {
	t, err := e.lookup(ns)
	if t != nil {
		t.clear()
	}
	return err
}

// Close implements engine.Engine.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.closed {
		return errClosed
	}
	e.mu.closed, e.mu.tables = true, nil
	if n := e.iterators.Load(); n > 0 {
		return fmt.Errorf("memory engine: closed with %d iterators open", n)
	}
	return nil
}

// lookup returns the table of ns, or nil if nothing was ever written to it.
func (e *Engine) lookup(ns engine.Namespace) (*table, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.mu.closed {
		return nil, errClosed
	}
	return e.mu.tables[ns], nil
}

// lock locks every table that b writes to, so that no reader sees a part of b,
// and creates those that are missing.
func (e *Engine) lock(b *engine.Batch) (map[engine.Namespace]*table, error) {
	tables := make(map[engine.Namespace]*table, len(b.Positions))
	for ns := range b.Positions {
		tables[ns] = nil
	}
	for ops := b.Ops; len(ops) > 0; ops = ops[engine.Run(ops):] {
		tables[ops[0].NS] = nil
	}
	order := make([]engine.Namespace, 0, len(tables))
	for ns := range tables {
		order = append(order, ns)
	}
	slices.SortFunc(order, engine.Namespace.Compare)
	for _, ns := range order {
		t, err := e.obtain(ns)
		if err != nil {
			return nil, err
		}
		tables[ns] = t
	}
	for _, ns := range order {
		tables[ns].mu.Lock()
	}
	return tables, nil
}

// obtain returns the table of ns, a new one if there is none.
func (e *Engine) obtain(ns engine.Namespace) (*table, error) {
	if t, err := e.lookup(ns); t != nil || err != nil {
		return t, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.closed {
		return nil, errClosed
	}
	t := e.mu.tables[ns]
	if t == nil {
		t = newTable()
		e.mu.tables[ns] = t
	}
	return t, nil
}
