package budget

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestDivide(t *testing.T) {
	t.Parallel()
	var before Shares
	for _, b := range []Budget{64 << 20, 112 << 20, 256 << 20, 1 << 30, 64 << 30} {
		s := b.Divide(true)
		held := s.Runtime + s.Cache + 2*s.MemTable
		if garbage := b.limit() - always - held; garbage < held/2 {
			t.Errorf("%d: beside %d bytes that are held there are %d for garbage", b, held, garbage)
		}
		if b.limit()+executable > int64(b) {
			t.Errorf("%d: the executable has no room", b)
		}
		if s.Runtime <= before.Runtime || s.Cache <= before.Cache || s.MemTable <= before.MemTable {
			t.Errorf("%d: a part of %+v is not larger than with less, %+v", b, s, before)
		}
		if all := b.Divide(false).Runtime; all < held || all > held+8 {
			t.Errorf("%d: without an engine the runtime has %d, not %d", b, all, held)
		}
		before = s
	}
}

// TestImpose is not parallel: the limit is the process's.
func TestImpose(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	if limit := Budget(64 << 20).Impose(); limit != 32<<20 || debug.SetMemoryLimit(-1) != limit {
		t.Errorf("the limit is %d", limit)
	}
	if limit := Budget(1 << 30).Impose(); limit != 32<<20 || debug.SetMemoryLimit(-1) != limit {
		t.Errorf("a limit that is set becomes %d", limit)
	}
}
