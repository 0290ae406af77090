package pebble

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leatstream/leat/internal/engine"
)

// A large batch of a restore, which is loose, is sorted and written to tables, which Pebble
// takes over as they are, all of them or none. What goes through the log, a memtable
// and its flush takes several times as long, and waits where one flush at a time is not
// enough (BenchmarkRestore of internal/changelog). Tasks that run do not write tables: what
// they have written before would have to be flushed first, and their records wait meanwhile.

const (
	// ownTable is from how many bytes on what a batch holds of a namespace gets a table.
	ownTable = 256 << 10

	// maxDepth is how many tables Pebble's first level may have on top of each other. At
	// the same depth Pebble makes those wait that write to memtables.
	maxDepth  = 12
	depthPoll = 5 * time.Millisecond

	// tablePrefix is what the names of tables begin with that Pebble has not taken over.
	tablePrefix = "leat-"
)

// An ingester makes tables in the directory of a database.
type ingester struct {
	files vfs.FS
	dir   string
	opts  *pebbledb.Options
	least int          // ownTable, but in tests
	made  atomic.Int64 // tables

	mu     sync.Mutex
	logged map[engine.Namespace]bool // what memtables may hold something of; true: that a crash may lose
}

// takes reports whether b is to become tables: one for what it holds of each namespace,
// and for each position, since a table that covered what lies between two could not sink
// below that.
func (g *ingester) takes(b *engine.Batch) bool {
	if !b.Loose || b.Bytes() < g.least {
		return false
	}
	var seen []engine.Namespace
	for run := range runs(b.Ops) {
		if slices.Contains(seen, run[0].NS) {
			return false
		}
		if seen = append(seen, run[0].NS); b.Bytes() < g.least*max(len(seen)-1, len(b.Positions)) {
			return false
		}
		if slices.ContainsFunc(run, func(op engine.Op) bool { return op.Kind == engine.DeleteBelow }) {
			return false
		}
	}
	return len(seen) > 0
}

// runs are the changes of one namespace after the other.
func runs(ops []engine.Op) iter.Seq[[]engine.Op] {
	return func(yield func([]engine.Op) bool) {
		for len(ops) > 0 {
			n := engine.Run(ops)
			if !yield(ops[:n]) {
				return
			}
			ops = ops[n:]
		}
	}
}

// namespaces are those of a batch, some of them twice.
func namespaces(b *engine.Batch) iter.Seq[engine.Namespace] {
	return func(yield func(engine.Namespace) bool) {
		for run := range runs(b.Ops) {
			if !yield(run[0].NS) {
				return
			}
		}
		for ns := range b.Positions {
			if !yield(ns) {
				return
			}
		}
	}
}

// ingest writes b as tables.
func (e *Engine) ingest(b *engine.Batch) error {
	if err := e.makeWay(b); err != nil {
		return err
	}
	paths, err := e.tables.write(b, e.db.TableFormat())
	if err == nil && e.fuse.failure() == nil {
		err = e.db.Ingest(context.Background(), paths)
	}
	if err != nil {
		return e.fuse.explain(err)
	}
	return e.fuse.failure()
}

// makeWay waits until the tables of b may come.
func (e *Engine) makeWay(b *engine.Batch) error {
	for e.db.Metrics().Levels[0].Sublevels >= maxDepth {
		if err := e.fuse.failure(); err != nil {
			return err
		}
		time.Sleep(depthPoll)
	}
	e.tables.mu.Lock()
	defer e.tables.mu.Unlock() // others wait, too, until what they wrote before is durable
	covered := false
	for ns := range namespaces(b) {
		_, logged := e.tables.logged[ns]
		covered = covered || logged
	}
	var err error
	switch {
	case covered:
		// Pebble can put tables on top of memtables. But if a flush of these fails, it
		// tries again for ever, and the tables wait for it.
		err = e.db.Flush()
	case slices.Contains(slices.Collect(maps.Values(e.tables.logged)), true):
		err = e.db.LogData(nil, pebbledb.Sync) // tables are durable at once
	default:
		return nil
	}
	if err != nil {
		return e.fuse.explain(err)
	}
	if covered {
		clear(e.tables.logged)
	}
	for ns := range e.tables.logged {
		e.tables.logged[ns] = false
	}
	return e.fuse.failure()
}

// logs notes that something of ns was written to the log.
func (g *ingester) logs(ns engine.Namespace, loose bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.logged[ns] = g.logged[ns] || loose
}

// logsBatch does it for all namespaces of b.
func (g *ingester) logsBatch(b *engine.Batch) {
	for ns := range namespaces(b) {
		g.logs(ns, b.Loose)
	}
}

// write makes the tables of b and returns their paths.
func (g *ingester) write(b *engine.Batch, format sstable.TableFormat) (paths []string, err error) {
	add := func(fill func(*sstable.Writer) error) {
		if err == nil {
			var path string
			path, err = g.table(format, fill)
			paths = append(paths, path)
		}
	}
	for run := range runs(b.Ops) {
		add(func(w *sstable.Writer) error { return writeOps(w, run) })
	}
	for ns, p := range b.Positions {
		add(func(w *sstable.Writer) error { return w.Set(positionKey(ns), encodePosition(p)) })
	}
	return paths, err
}

// table makes a table, durable, and returns its path. What a failure leaves is removed
// at the next start.
func (g *ingester) table(format sstable.TableFormat, fill func(*sstable.Writer) error) (string, error) {
	path := g.files.PathJoin(g.dir, fmt.Sprint(tablePrefix, g.made.Add(1)))
	file, err := g.files.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(file), g.opts.MakeWriterOptions(0, format))
	if err := fill(w); err != nil {
		w.Close()
		return "", err
	}
	return path, w.Close()
}

// writeOps writes what is left of changes of one namespace.
func writeOps(w *sstable.Writer, ops []engine.Op) error {
	if err := validate(ops[0].NS); err != nil {
		return err
	}
	key := appendPrefix(nil, ops[0].NS)
	prefix := len(key)
	for i := range engine.InOrder(ops) {
		op := &ops[i]
		key = append(key[:prefix], op.Key...)
		var err error
		if op.Kind == engine.Delete {
			err = w.Delete(key)
		} else {
			err = w.Set(key, op.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clean removes tables that a crash has left.
func (g *ingester) clean() error {
	names, err := g.files.List(g.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, tablePrefix) {
			if err := g.files.Remove(g.files.PathJoin(g.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
