package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/leatstream/leat/internal/engine"
)

// A breakdown is a disk on which the write number at fails, and later ones
// too if it stays broken.
type breakdown struct {
	at     int64
	stays  bool
	writes atomic.Int64
	hit    atomic.Bool
}

func (b *breakdown) String() string { return fmt.Sprintf("write %d fails, stays %v", b.at, b.stays) }

func (b *breakdown) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	switch op.Kind {
	case errorfs.OpLock, errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpFilePreallocate:
		return nil // of these an error changes nothing
	}
	n := b.writes.Add(1) - 1
	if n != b.at && (!b.stays || n < b.at) {
		return nil
	}
	b.hit.Store(true)
	return fmt.Errorf("%s: %w", op.Path, syscall.ENOSPC)
}

// TestEveryWriteFails fails the first write to the disk, then the second, and
// so on through the life of an engine. Whichever it is, nothing panics or
// hangs, the owner is told once, no more is written, and what is on disk is a
// state that there has been.
func TestEveryWriteFails(t *testing.T) {
	t.Parallel()
	for _, stays := range []bool{false, true} {
		t.Run(fmt.Sprintf("stays=%v", stays), func(t *testing.T) {
			t.Parallel()
			for at := int64(0); !t.Failed(); at += stride {
				b := &breakdown{at: at, stays: stays}
				liveThrough(t, b)
				if !b.hit.Load() {
					t.Logf("%d writes", at)
					return
				}
			}
		})
	}
}

// liveThrough runs an engine on a disk with a breakdown, and then one on what
// is left.
func liveThrough(t *testing.T, b *breakdown) {
	t.Helper()
	disk := vfs.NewMem()
	written, told := writeThrough(t, b, disk)
	e := mustOpen(t, "state", small, disk)
	survived := wantPrefix(t, e)
	mustClose(t, e)
	if survived > written || !b.hit.Load() && survived != written {
		t.Errorf("%d batches survived of %d", survived, written)
	}
	if b.hit.Load() != (told == 1) {
		t.Errorf("the owner was told %d times, and the breakdown was met: %v", told, b.hit.Load())
	}
	if t.Failed() {
		t.Fatalf("where %v", b)
	}
}

// writeThrough returns how many batches were written at most, and how often
// the owner was told of an error.
func writeThrough(t *testing.T, b *breakdown, disk vfs.FS) (written int64, told int32) {
	t.Helper()
	var calls atomic.Int32
	o := small
	o.Logger = slog.New(slog.DiscardHandler)
	o.OnFatal = func(err error) {
		calls.Add(1)
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("OnFatal: %v", err)
		}
	}
	e, err := open("state", o, errorfs.Wrap(disk, b))
	if err != nil {
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Open: %v", err)
		}
		b.hit.Store(true)
		return 0, 1 // told by Open
	}
	for n := range int64(30) {
		if err = e.Write(numbered(n)); err != nil {
			break
		}
		written = n + 1
	}
	written++ // the one that failed may be there
	if err == nil {
		written--
	} else if again := e.Write(numbered(99)); !errors.Is(again, syscall.ENOSPC) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write: %v, and again: %v", err, again)
	}
	if err := e.Close(); (err != nil) != (calls.Load() > 0) {
		t.Errorf("Close: %v, though the owner was told %d times", err, calls.Load())
	}
	return written, calls.Load()
}

// TestFatalf: Pebble's last words stop the engine, not the process.
func TestFatalf(t *testing.T) {
	t.Parallel()
	var told []error
	f := &fuse{dir: "state", logger: slog.New(slog.DiscardHandler), onFatal: func(err error) { told = append(told, err) }}
	logger{f}.Fatalf("manifest write failed: %v", syscall.EIO)
	logger{f}.Fatalf("and again")
	if len(told) != 1 || !errors.Is(told[0], syscall.EIO) || f.failure() != told[0] {
		t.Errorf("told %v, failure %v", told, f.failure())
	}
	wantText(t, told[0], "pebble: state: manifest write failed: ")
	if err := f.explain(errors.New("a consequence")); err != told[0] {
		t.Errorf("explained by %v", err)
	}
}

// TestCorruption damages one file after the other. Whatever is noticed must be
// called corrupt, so that the state can be rebuilt.
func TestCorruption(t *testing.T) {
	t.Parallel()
	damages := map[string]func(path string) error{
		"gone":    os.Remove,
		"cut off": func(path string) error { return os.Truncate(path, size(path)/2) },
		"changed": flip,
	}
	for name, damage := range damages {
		for _, pattern := range []string{"*.sst", "MANIFEST-*"} {
			t.Run(name+" "+pattern, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				fillTables(t, dir)
				paths, err := filepath.Glob(filepath.Join(dir, pattern))
				if err != nil || len(paths) == 0 {
					t.Fatal(paths, err)
				}
				for _, path := range paths {
					if err := damage(path); err != nil {
						t.Fatal(err)
					}
				}
				if err := readAll(dir); !errors.Is(err, engine.ErrCorrupt) {
					t.Errorf("err = %v", err)
				} else {
					wantText(t, err, dir)
				}
			})
		}
	}
}

// fillTables leaves tables of several levels in dir.
func fillTables(t *testing.T, dir string) {
	t.Helper()
	e := mustOpen(t, dir, small, vfs.Default)
	for n := range int64(100) {
		if err := e.Write(numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.db.Flush(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)
}

// readAll opens dir, reads what it can, and returns the first error. One met
// by a read must have been told to the owner too.
func readAll(dir string) error {
	var told atomic.Pointer[error]
	e, err := open(dir, Options{
		Logger:  slog.New(slog.DiscardHandler),
		OnFatal: func(err error) { told.Store(&err) },
	}, vfs.Default)
	if err != nil {
		return err
	}
	defer e.Close()
	it, err := e.Range(testNS, nil, nil, false)
	if err == nil {
		for it.Next() {
		}
		err = it.Close()
	}
	if err != nil && told.Load() == nil {
		return fmt.Errorf("the owner was not told of: %v", err)
	}
	return err
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// flip changes bytes all over the file.
func flip(path string) error {
	data, err := os.ReadFile(path)
	for i := len(data) / 3; i < len(data); i += 50 {
		data[i] ^= 0x55
	}
	return errors.Join(err, os.WriteFile(path, data, 0o600))
}

// TestCorrupt holds the rule by which an error is called corruption against
// errors that are none.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		syscall.ENOSPC, syscall.EIO, &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, errors.New("comparer mismatch"),
	} {
		if corrupt(err) {
			t.Errorf("%v is called corruption", err)
		}
	}
	if strings.Count(describe("d", describe("d", fs.ErrNotExist)).Error(), engine.ErrCorrupt.Error()) != 1 {
		t.Error("corruption is said twice")
	}
}

// TestNoGoroutineStays relies on synctest, which fails if one does.
func TestNoGoroutineStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		e := mustOpen(t, "state", small, disk)
		for n := range int64(50) {
			if err := e.Write(numbered(n)); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, e)
		names, err := disk.List("state")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, "MANIFEST") {
				disk.Remove(disk.PathJoin("state", name))
			}
		}
		if _, err := open("state", Options{Logger: slog.New(slog.DiscardHandler)}, disk); !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("err = %v", err)
		}
	})
}
