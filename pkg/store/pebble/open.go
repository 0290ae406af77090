package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leatstream/leat/internal/engine"
)

// format is the version of the layout of keys and values. A change that older
// versions would misread raises it.
const format = 1

// slow is for how long a write may take before we say so.
const slow = 5 * time.Second

var errClosed = errors.New("pebble: engine is closed")

// Open opens the engine in directory dir, which is created if it is missing.
// One process at a time may have it open: the error for a second one wraps
// engine.ErrLocked. The error for a damaged directory wraps engine.ErrCorrupt.
func Open(dir string, o Options) (*Engine, error) { return open(dir, o, vfs.Default) }

func open(dir string, o Options, files vfs.FS) (*Engine, error) {
	o = o.withDefaults()
	dir, err := prepare(dir, files)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(dir, files)
	if err != nil {
		return nil, err
	}
	e := &Engine{lock: lock, fuse: &fuse{dir: dir, logger: o.Logger, onFatal: o.OnFatal}}
	files, e.watch = vfs.WithDiskHealthChecks(&frozenFS{FS: files, fuse: e.fuse}, slow, nil, e.fuse.slow)
	e.tables = ingester{files: files, dir: dir, opts: o.pebble(files, lock, e.fuse), least: o.ownTable, logged: map[engine.Namespace]bool{}}
	compactions := newScheduler()
	e.tables.opts.Experimental.CompactionScheduler = compactions
	if err := e.tables.clean(); err != nil {
		return nil, errors.Join(e.fuse.explain(err), e.release())
	}
	if e.db, err = pebbledb.Open(dir, e.tables.opts); err != nil {
		return nil, errors.Join(e.fuse.explain(err), e.release())
	}
	compactions.begin()
	if err := e.checkFormat(dir); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// prepare creates dir and returns its one true name: locks within a process
// are by name.
func prepare(dir string, files vfs.FS) (string, error) {
	err := files.MkdirAll(dir, 0o750)
	if err != nil {
		return "", unwritable(dir, err)
	}
	if files != vfs.Default {
		return dir, nil
	}
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	return dir, err
}

func lockDir(dir string, files vfs.FS) (*pebbledb.Lock, error) {
	lock, err := pebbledb.LockDirectory(dir, files)
	var path *fs.PathError
	switch {
	case err == nil:
		return lock, nil
	case errors.As(err, &path): // the lock's file could not be created
		return nil, unwritable(dir, err)
	default:
		return nil, fmt.Errorf("pebble: %w: %s (%w); stop the other process, or give each its own directory",
			engine.ErrLocked, dir, err)
	}
}

func unwritable(dir string, err error) error {
	return fmt.Errorf("pebble: the state directory %s cannot be written to: %w; "+
		"change its permissions or choose another one", dir, err)
}

// checkFormat refuses a database of a newer layout, and one that is not ours,
// and marks a new one.
func (e *Engine) checkFormat(dir string) error {
	value, ok, err := e.get([]byte(formatKey), nil)
	switch {
	case err != nil:
		return err
	case !ok:
		return e.writeFormat(dir)
	case len(value) != 4:
		return fmt.Errorf("pebble: %s: %w: a format version of %d bytes", dir, engine.ErrCorrupt, len(value))
	}
	if v := binary.BigEndian.Uint32(value); v > format {
		return fmt.Errorf("pebble: the state in %s was written by a newer version of leat (format %d, this one knows %d); "+
			"run that version, or remove the directory and let the state be restored", dir, v, format)
	}
	return nil
}

func (e *Engine) writeFormat(dir string) error {
	it, err := e.db.NewIter(nil)
	if err != nil {
		return e.fuse.explain(err)
	}
	foreign := it.First()
	if err := it.Close(); err != nil {
		return e.fuse.explain(err)
	}
	if foreign {
		return fmt.Errorf("pebble: %s holds a database that is not leat's; choose another directory", dir)
	}
	value := binary.BigEndian.AppendUint32(nil, format)
	if err := e.db.Set([]byte(formatKey), value, pebbledb.Sync); err != nil {
		return e.fuse.explain(err)
	}
	return e.fuse.failure()
}

// corrupt reports whether err, of Pebble, means damaged data, and not a disk
// that is full or a file that may not be read.
func corrupt(err error) bool {
	switch {
	case pebbledb.IsCorruptionError(err):
		return true
	case errors.Is(err, engine.ErrCorrupt):
		return false // already said
	case errors.Is(err, fs.ErrNotExist): // a table or log is gone
		return true
	default: // a table was cut off; Pebble has no kind for it
		return strings.Contains(err.Error(), "object size mismatch")
	}
}
