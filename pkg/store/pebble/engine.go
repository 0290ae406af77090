// Package pebble keeps the local copies of stores on disk, with Pebble: one
// database per process for all stores and partitions, so that memory and open
// files do not grow with the number of tasks.
//
// It syncs its log at every batch, unless that is loose, as those of a restore
// are: the durable copy of a store is its changelog, and each batch says how far it
// has come there. A crash may lose the last batches, never one from the middle.
//
// It is the only package that knows Pebble. Programs that keep their state in
// memory do not link it.
package pebble

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	pebbledb "github.com/cockroachdb/pebble/v2"

	"github.com/leatstream/leat/internal/engine"
)

// An Engine is an engine.Engine on disk. Open returns one.
type Engine struct {
	db        *pebbledb.DB
	tables    ingester
	lock      io.Closer // of the directory
	watch     io.Closer // of the speed of the disk
	fuse      *fuse
	iterators atomic.Int64 // open ones

	// calls is held for reading by every method, so that Close waits for them
	// and later ones find closed set: Pebble panics when it is used closed.
	calls  sync.RWMutex
	closed atomic.Bool
}

var _ engine.Engine = (*Engine)(nil)

// maxBatchSize is below the size at which Pebble panics, 4 GiB.
const maxBatchSize = 1 << 30

// Get implements engine.Engine.
func (e *Engine) Get(ns engine.Namespace, key, dst []byte) ([]byte, bool, error) {
	if err := e.enter(); err != nil {
		return dst, false, err
	}
	defer e.calls.RUnlock()
	buf := keyBuffers.Get().(*keyBuffer)
	defer keyBuffers.Put(buf)
	if err := buf.set(ns, key); err != nil {
		return dst, false, err
	}
	return e.get(buf.key, dst)
}

func (e *Engine) get(key, dst []byte) ([]byte, bool, error) {
	value, closer, err := e.db.Get(key)
	if err == pebbledb.ErrNotFound {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, e.fuse.explain(err)
	}
	if dst == nil {
		dst = []byte{} // an empty value is not nil
	}
	dst = append(dst, value...)
	return dst, true, e.fuse.explain(closer.Close())
}

// Range implements engine.Engine. An open iterator keeps the files it reads
// from being deleted: close it soon.
func (e *Engine) Range(ns engine.Namespace, lo, hi []byte, reverse bool) (engine.Iterator, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.calls.RUnlock()
	o, err := bounds(ns, lo, hi)
	if err != nil {
		return nil, err
	}
	it, err := e.db.NewIter(o)
	if err != nil {
		return nil, e.fuse.explain(err)
	}
	e.iterators.Add(1)
	return &iterator{engine: e, it: it, prefix: len(ns.Store) + prefixExtra, reverse: reverse}, nil
}

// Write implements engine.Engine. It waits while Pebble is behind with
// flushing and compacting.
func (e *Engine) Write(b *engine.Batch) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.calls.RUnlock()
	if b.Empty() {
		return nil
	}
	if e.tables.takes(b) {
		return e.ingest(b)
	}
	size := batchSize(b)
	if size > maxBatchSize {
		return fmt.Errorf("pebble: a batch of %d bytes; %d are possible", size, maxBatchSize)
	}
	batch := e.db.NewBatchWithSize(size)
	defer batch.Close()
	if err := fill(batch, b); err != nil {
		return err
	}
	// Without a sync the last batches are lost when the process is killed, since part
	// of the log is still in its memory. Batches of a running task are few.
	how := pebbledb.Sync
	if b.Loose {
		how = pebbledb.NoSync
	}
	if err := e.apply(batch, how); err != nil {
		return err
	}
	e.tables.logsBatch(b)
	return nil
}

// Drop implements engine.Engine. The space on disk is given back in the
// background.
func (e *Engine) Drop(ns engine.Namespace) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.calls.RUnlock()
	o, err := bounds(ns, nil, nil)
	if err != nil {
		return err
	}
	// A deletion of nothing would lie below what comes next, and keep the tables of a
	// restore from going where they are to stay.
	if nothing, err := e.empty(ns, o); nothing || err != nil {
		return err
	}
	batch := e.db.NewBatch()
	defer batch.Close()
	if err := batch.DeleteRange(o.LowerBound, o.UpperBound, nil); err != nil {
		return err
	}
	if err := batch.Delete(positionKey(ns), nil); err != nil {
		return err
	}
	if err := e.apply(batch, pebbledb.Sync); err != nil {
		return err
	}
	e.tables.logs(ns, false)
	return nil
}

// empty reports whether there is nothing of ns, which has these bounds.
func (e *Engine) empty(ns engine.Namespace, o *pebbledb.IterOptions) (bool, error) {
	if _, ok, err := e.get(positionKey(ns), nil); ok || err != nil {
		return false, err
	}
	it, err := e.db.NewIter(o)
	if err != nil {
		return false, e.fuse.explain(err)
	}
	some := it.First()
	return !some, e.fuse.explain(it.Close())
}

// apply writes a batch, unless the engine has failed. It looks again when it is
// done, because a failed write to the log is reported there and not by Apply.
func (e *Engine) apply(batch *pebbledb.Batch, how *pebbledb.WriteOptions) error {
	if err := e.fuse.failure(); err != nil {
		return err
	}
	if err := e.db.Apply(batch, how); err != nil {
		return e.fuse.explain(err)
	}
	return e.fuse.failure()
}

// DiskBytes is what the engine takes on disk; 0 once it is closed.
func (e *Engine) DiskBytes() int64 {
	if e.enter() != nil {
		return 0
	}
	defer e.calls.RUnlock()
	return int64(e.db.Metrics().DiskSpaceUsage())
}

// Close implements engine.Engine. After it the directory may be opened again.
func (e *Engine) Close() error {
	e.calls.Lock()
	defer e.calls.Unlock()
	if e.closed.Swap(true) {
		return errClosed
	}
	var err error
	if n := e.iterators.Load(); n > 0 {
		err = e.closeLeaked(n)
	} else {
		err = e.db.Close()
	}
	if failure := e.fuse.failure(); failure != nil {
		err = failure
	}
	if released := e.release(); err == nil {
		err = released
	}
	return err
}

// closeLeaked closes the database in spite of n open iterators. Pebble panics if they
// read from tables, when all else is done, and is verbose otherwise.
func (e *Engine) closeLeaked(n int64) (err error) {
	defer func() {
		recover()
		err = fmt.Errorf("pebble: closed with %d iterators open", n)
	}()
	return e.db.Close()
}

// release gives back what is held beside the database.
func (e *Engine) release() error { return errors.Join(e.watch.Close(), e.lock.Close()) }

// enter holds Close off until e.calls.RUnlock.
func (e *Engine) enter() error {
	e.calls.RLock()
	if e.closed.Load() {
		e.calls.RUnlock()
		return errClosed
	}
	return nil
}
