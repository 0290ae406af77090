package pebble

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leatstream/leat/internal/engine"
)

// The tests here write numbered batches, stop in some ugly way, and look at
// what is there when the engine is opened again: all of the first n batches
// and nothing of the others.

// small makes flushes and compactions happen within thirty batches, and tables of some.
var small = Options{MemTableBytes: 4 << 10, CacheBytes: 64 << 10, ownTable: 900}

// numbered returns batch n. It sets the key n of its own, the key that all
// batches set, deletes the key of batch n-3, and moves the position to n.
func numbered(n int64) *engine.Batch {
	var b engine.Batch
	b.Loose = n%2 == 1 // as a restore is: large enough to become tables
	size := 400 + 200*int(n%2)
	value := binary.BigEndian.AppendUint64(make([]byte, 0, size), uint64(n))[:size]
	b.Set(testNS, numberedKey(n), value)
	b.Set(testNS, []byte("latest"), value)
	b.Delete(testNS, numberedKey(n-3))
	b.SetPosition(testNS, engine.Position{Offset: n})
	return &b
}

func numberedKey(n int64) []byte { return fmt.Appendf(nil, "%08d", n) }

// wantPrefix checks that e holds the first n batches, whole, for some n, and
// returns n.
func wantPrefix(t *testing.T, e *Engine) int64 {
	t.Helper()
	p, ok, err := e.Position(testNS)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	if ok {
		want["latest"] = p.Offset
		for n := max(0, p.Offset-2); n <= p.Offset; n++ {
			want[string(numberedKey(n))] = n
		}
	}
	it, err := e.Range(testNS, nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for ; it.Next(); found++ {
		n := int64(binary.BigEndian.Uint64(it.Value()))
		if w, ok := want[string(it.Key())]; !ok || n != w {
			t.Errorf("at position %d there is %q = %d", p.Offset, it.Key(), n)
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if found != len(want) {
		t.Errorf("at position %d there are %d keys, want %d", p.Offset, found, len(want))
	}
	if !ok {
		return 0
	}
	return p.Offset + 1
}

// TestMachineCrash stops the machine, again and again: of what was not synced
// some is kept and some is not, as an operating system does it. With all kept
// it is a kill of the process.
func TestMachineCrash(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	files := vfs.NewCrashableMem()
	e := mustOpen(t, "state", small, files)
	defer func() { mustClose(t, e) }()
	safe := int64(0) // batches that no crash may lose
	for n := range int64(150) {
		b := numbered(n)
		if b.Loose = rng.IntN(2) == 0; !b.Loose {
			safe = n + 1
		}
		if err := e.Write(b); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(10) > 0 {
			continue
		}
		kept := []int{0, rng.IntN(101), 100}[rng.IntN(3)]
		after := mustOpen(t, "state", small, files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng}))
		if got := wantPrefix(t, after); got > n+1 || got < safe {
			t.Errorf("after %d batches, %d of them safe, %d are there", n+1, safe, got)
		}
		mustClose(t, after)
		if t.Failed() {
			t.Fatalf("after a crash at batch %d with %d %% of what was not synced", n, kept)
		}
	}
}

// TestOpenWaitsForNoCompaction crashes so often that the tables that are made of the logs
// have to be merged.
func TestOpenWaitsForNoCompaction(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	open := sync.OnceFunc(func() { close(began) })
	files := vfs.NewCrashableMem()
	for n := range int64(20) {
		g := gate{FS: files, began: open, opened: make(chan struct{})}
		engines := make(chan *Engine, 1)
		go func() { engines <- mustOpen(t, "state", Options{}, g) }()
		select {
		case e := <-engines:
			close(g.opened)
			if err := e.Write(numbered(2 * n)); err != nil {
				t.Fatal(err)
			}
			files = files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
			if n == 19 {
				select {
				case <-began:
				case <-time.After(10 * time.Second):
					t.Error("nothing is merged")
				}
			}
			mustClose(t, e)
		case <-time.After(10 * time.Second):
			t.Fatalf("start %d waits", n)
		}
	}
}

// A gate is a file system on which no table can be merged before the engine is open.
type gate struct {
	vfs.FS
	began  func()
	opened chan struct{}
}

func (g gate) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if c == "pebble-compaction" {
		g.began()
		<-g.opened
	}
	return g.FS.Create(name, c)
}

const childDir = "LEAT_TEST_CHILD_DIR"

// TestKill kills a process that is writing, and does it again in the directory
// that is left, so that the second one recovers and goes on.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := int64(0)
	for range 3 {
		runChild(t, dir, before+100)
		e := mustOpen(t, dir, small, vfs.Default)
		before = wantPrefix(t, e)
		mustClose(t, e)
	}
	if before == 0 {
		t.Error("nothing survived")
	}
}

// runChild runs this test binary as a writer in dir and kills it once it has
// said that batch until is written.
func runChild(t *testing.T, dir string, until int64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for n := int64(-1); n < until; {
		if _, err := fmt.Fscanf(out, "%d\n", &n); err != nil {
			t.Fatalf("the child said %v", err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, out)
	child.Wait() // it was killed, as it should be
}

// TestKillChild is the writer. It goes on from where the directory is.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("for TestKill to run")
	}
	e := mustOpen(t, dir, small, vfs.Default)
	for n := wantPrefix(t, e); ; n++ {
		if err := e.Write(numbered(n)); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%d\n", n)
	}
}

// TestTablesComeAfterTheLog: what was written before a batch that becomes tables is there
// if they are.
func TestTablesComeAfterTheLog(t *testing.T) {
	t.Parallel()
	files := vfs.NewCrashableMem()
	e := mustOpen(t, "state", small, files)
	defer func() { mustClose(t, e) }()
	other := engine.Namespace{Store: "other"}
	var b engine.Batch
	b.Loose = true
	b.Set(other, []byte("small"), []byte("value"))
	if err := e.Write(&b); err != nil {
		t.Fatal(err)
	}
	if b = *numbered(1); !e.tables.takes(&b) {
		t.Fatal("the batch does not become tables")
	}
	if err := e.Write(&b); err != nil {
		t.Fatal(err)
	}
	after := mustOpen(t, "state", small, files.CrashClone(vfs.CrashCloneCfg{}))
	defer mustClose(t, after)
	if _, ok, err := after.Get(testNS, []byte("latest"), nil); !ok || err != nil {
		t.Errorf("the tables are not there: %v", err)
	}
	if _, ok, err := after.Get(other, []byte("small"), nil); !ok || err != nil {
		t.Errorf("what was written before them is lost: %v", err)
	}
}
