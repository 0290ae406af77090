package worker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
)

// Whatever the sizes are, cutting them to the level uses the room up and no more; what
// is below the level is as it was.
func TestLevel(t *testing.T) {
	for range 1000 {
		sizes := make([]int64, 1+rand.IntN(20))
		var total int64
		for i := range sizes {
			sizes[i] = rand.Int64N(1 << rand.IntN(20))
			total += sizes[i]
		}
		slices.Sort(sizes)
		room := rand.Int64N(total + 10)
		limit := level(sizes, room)
		if total <= room {
			if limit != math.MaxInt64 {
				t.Fatalf("level(%d, %d) = %d, and there is room for all", sizes, room, limit)
			}
			continue
		}
		var cut int64
		for _, size := range sizes {
			cut += min(size, limit)
		}
		if cut > room || cut <= room-int64(len(sizes)) {
			t.Fatalf("level(%d, %d) = %d, which leaves %d", sizes, room, limit, cut)
		}
	}
}

// One store at work beside idle ones may keep what all of them may together; what is too
// much goes from it alone, and a store that is taken away takes its share along.
func TestIdleStoresLendTheirMemory(t *testing.T) {
	var share atomic.Int64
	share.Store(10_000)
	eng := memory.New()
	w := New(Config{CacheBytes: &share, Engine: eng})
	w.p = &producer{slab: *newSlab()}
	var runs []*Run
	for p := range int32(10) {
		tsk, err := task.New(counter(), p, task.Env{App: "app"}, func(s task.Store) (*state.Store, error) {
			return state.Open(eng, engine.Namespace{Store: s.Name, Partition: p}, s.Layout)
		})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, &Run{Task: tsk, Feeds: make([]*fetch.Feed, 1)})
		w.add(runs[p])
	}
	busy, small := runs[0].Task.Stores()[0].State, runs[1].Task.Stores()[0].State
	small.Put([]byte("k"), []byte("v"), 1)
	for i := 0; busy.Bytes() < 90_000; i++ {
		busy.Put(fmt.Append(nil, i), []byte("v"), 1)
	}
	for _, r := range runs {
		r.Task.Commit()
		w.weigh(r)
	}
	if w.tight() {
		t.Errorf("tight with %d of %d bytes", w.held, w.allowance())
	}
	w.forget(runs[9])
	w.forget(runs[9]) // once more is nothing more
	if !w.tight() {
		t.Errorf("not tight with %d of %d bytes", w.held, w.allowance())
	}
	before := small.Bytes()
	if err := w.flushEngine(); err != nil {
		t.Fatal(err)
	}
	if got, most := busy.Bytes()+small.Bytes(), w.allowance()/4*3; got != w.held || got > most || got < most-1000 {
		t.Errorf("stores hold %d bytes, the worker says %d; %d is what they may", got, w.held, most)
	}
	if small.Bytes() < before {
		t.Errorf("the small store has %d bytes, and had %d", small.Bytes(), before)
	}
}

// What waits to be sent takes from the memory for entries, but never all; and it is given
// back when less waits.
func TestRecordsOnTheirWayTakeFromEntries(t *testing.T) {
	const records, stores = 12 * slabSize, 2
	var share atomic.Int64
	share.Store(records * RecordBytes)
	w := New(Config{CacheBytes: &share})
	w.stores, w.p = stores, &producer{slab: *newSlab()}
	check := func(what string, want int64) {
		t.Helper()
		if got := w.allowance(); got != want*RecordBytes {
			t.Errorf("%s: entries may take as much as %d records, want %d", what, got/RecordBytes, want)
		}
	}
	check("nothing is sent", stores*records)
	acknowledge(hand(&w.p.slab, records), nil)
	check("as much as a store's share", records)
	acknowledge(hand(&w.p.slab, records), nil)
	check("more, but the first are used again", records)
	hand(&w.p.slab, 2*records)
	check("as much as there is", stores*records/3)
	w.p.next()
	hand(&w.p.slab, slabSize)
	w.p.next()
	w.p.next()
	check("a transaction later", stores*records-2*slabSize)
}
