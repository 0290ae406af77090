//go:build !race

package pebble

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leatstream/leat/internal/engine"
)

// stride is how many writes TestEveryWriteFails moves on at a time.
const stride = 1

// TestGetAllocations is not for the race detector, which makes sync.Pool drop
// items on purpose.
func TestGetAllocations(t *testing.T) {
	e := mustOpen(t, "state", Options{}, vfs.NewMem())
	defer mustClose(t, e)
	var b engine.Batch
	b.Set(testNS, []byte("key"), []byte("value"))
	if err := e.Write(&b); err != nil {
		t.Fatal(err)
	}
	key, dst := []byte("key"), make([]byte, 0, 100)
	n := testing.AllocsPerRun(100, func() {
		if _, ok, err := e.Get(testNS, key, dst); !ok || err != nil {
			t.Error(ok, err)
		}
	})
	if n > 0 {
		t.Errorf("Get allocates %v times", n)
	}
}
