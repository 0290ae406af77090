package pebble

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/pkg/store/storetest"
)

func TestEngine(t *testing.T) {
	t.Parallel()
	storetest.Engine(t, func(t *testing.T) engine.Engine { return mustOpen(t, "state", Options{}, vfs.NewMem()) })
}

// TestEngineFlushing runs the suite with buffers so small that most of the data
// goes to tables and is compacted.
func TestEngineFlushing(t *testing.T) {
	t.Parallel()
	storetest.Engine(t, func(t *testing.T) engine.Engine {
		return mustOpen(t, "state", Options{MemTableBytes: 4 << 10, CacheBytes: 64 << 10}, vfs.NewMem())
	})
}

// TestEngineIngesting runs the suite with batches that become tables, however small.
func TestEngineIngesting(t *testing.T) {
	t.Parallel()
	storetest.Engine(t, func(t *testing.T) engine.Engine {
		return mustOpen(t, "state", Options{MemTableBytes: 4 << 10, CacheBytes: 64 << 10, ownTable: 1}, vfs.NewMem())
	})
}

// mustOpen opens an engine that must not fail.
func mustOpen(t testing.TB, dir string, o Options, files vfs.FS) *Engine {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	o.OnFatal = func(err error) { t.Errorf("OnFatal: %v", err) }
	e, err := open(dir, o, files)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustClose(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

var testNS = engine.Namespace{Store: "store", Partition: 7}

func TestDiskBytes(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, "state", Options{}, vfs.NewMem())
	if n := e.DiskBytes(); n <= 0 {
		t.Errorf("an engine takes %d bytes", n)
	}
	mustClose(t, e)
	if n := e.DiskBytes(); n != 0 {
		t.Errorf("%d bytes once it is closed", n)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	e := mustOpen(t, dir, Options{}, vfs.Default)
	var b engine.Batch
	b.Set(testNS, []byte("kept"), []byte("value"))
	b.Set(testNS, []byte("empty"), nil)
	b.Set(testNS, []byte("deleted"), nil)
	b.SetPosition(testNS, engine.Position{Topic: [16]byte{1, 15: 2}, Offset: 1 << 40, Time: -3})
	if err := e.Write(&b); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	b.Delete(testNS, []byte("deleted"))
	if err := e.Write(&b); err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)

	e = mustOpen(t, dir, Options{}, vfs.Default)
	defer mustClose(t, e)
	for key, want := range map[string]string{"kept": "value", "empty": "", "deleted": "missing"} {
		value, ok, err := e.Get(testNS, []byte(key), nil)
		if !ok {
			value = []byte("missing")
		}
		if err != nil || string(value) != want {
			t.Errorf("Get(%s) = %q, %v, want %q", key, value, err, want)
		}
	}
	p, ok, err := e.Position(testNS)
	if want := (engine.Position{Topic: [16]byte{1, 15: 2}, Offset: 1 << 40, Time: -3}); p != want || !ok || err != nil {
		t.Errorf("Position = %v, %v, %v", p, ok, err)
	}
	if list, err := e.Namespaces(); err != nil || len(list) != 1 || list[0] != testNS {
		t.Errorf("Namespaces = %v, %v", list, err)
	}
}

func TestOpenLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	e := mustOpen(t, dir, Options{}, vfs.Default)
	for _, dir := range []string{dir, link} { // by another name it is the same
		_, err := Open(dir, Options{})
		if !errors.Is(err, engine.ErrLocked) || errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("err = %v", err)
		}
		wantText(t, err, e.fuse.dir, "stop the other process")
	}
	mustClose(t, e)
	mustClose(t, mustOpen(t, link, Options{}, vfs.Default))
}

func TestOpenUnwritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(filepath.Join(file, "dir"), Options{})
	wantText(t, err, file, "cannot be written to", "permissions")

	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 { // root may write anywhere
		_, err = Open(dir, Options{})
		wantText(t, err, dir, "cannot be written to", "permissions")
	}
	if errors.Is(err, engine.ErrCorrupt) || errors.Is(err, engine.ErrLocked) {
		t.Errorf("err = %v", err)
	}
}

func TestOpenNewerFormat(t *testing.T) {
	t.Parallel()
	files := vfs.NewMem()
	e := mustOpen(t, "state", Options{}, files)
	if err := e.db.Set([]byte(formatKey), []byte{0, 0, 0, format + 1}, pebbledb.Sync); err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)
	_, err := open("state", Options{Logger: slog.New(slog.DiscardHandler)}, files)
	wantText(t, err, "state", "newer version of leat (format 2, this one knows 1)")
	if errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("err = %v: somebody may remove it", err)
	}
}

// TestOpenForeign: a database of another program is refused, and not called
// corrupt, for what is corrupt may be removed.
func TestOpenForeign(t *testing.T) {
	t.Parallel()
	files := vfs.NewMem()
	other := *pebbledb.DefaultComparer
	other.Name = "another"
	for dir, o := range map[string]*pebbledb.Options{
		"plain":    {FS: files, Logger: logger{&fuse{logger: slog.New(slog.DiscardHandler)}}},
		"comparer": {FS: files, Logger: logger{&fuse{logger: slog.New(slog.DiscardHandler)}}, Comparer: &other},
	} {
		db, err := pebbledb.Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Set([]byte("their"), []byte("data"), pebbledb.Sync); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = open(dir, Options{Logger: slog.New(slog.DiscardHandler)}, files)
		if err == nil || errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s: err = %v", dir, err)
		}
		wantText(t, err, dir)
	}
}

// TestOpenNewerPebble: the same for a directory that a newer Pebble wrote.
func TestOpenNewerPebble(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustClose(t, mustOpen(t, dir, Options{}, vfs.Default))
	markers, err := filepath.Glob(filepath.Join(dir, "marker.format-version.*"))
	if err != nil || len(markers) != 1 {
		t.Fatal(markers, err)
	}
	newer := strings.TrimSuffix(markers[0], filepath.Ext(markers[0])) + ".999"
	if err := os.Rename(markers[0], newer); err != nil {
		t.Fatal(err)
	}
	_, err = open(dir, Options{Logger: slog.New(slog.DiscardHandler)}, vfs.Default)
	if err == nil || errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("err = %v", err)
	}
	wantText(t, err, dir, "unknown format major version 999")
}

func TestStoreName(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, "state", Options{}, vfs.NewMem())
	defer mustClose(t, e)
	for _, name := range []string{"", "\x00", "\x01a", "a\x00\x00\x00\x00\x01b"} {
		ns := engine.Namespace{Store: name}
		var b engine.Batch
		b.Set(ns, []byte("k"), nil)
		_, _, get := e.Get(ns, []byte("k"), nil)
		_, rng := e.Range(ns, nil, nil, false)
		for op, err := range map[string]error{"Write": e.Write(&b), "Get": get, "Range": rng, "Drop": e.Drop(ns)} {
			if err == nil {
				t.Errorf("%s takes %q as the name of a store", op, name)
			}
		}
	}
}

func wantText(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}
