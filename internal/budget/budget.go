// Package budget divides the memory that a process may take among what takes it.
package budget

import (
	"math"
	"runtime/debug"
)

// A Budget is how many bytes of memory a process may take.
type Budget int64

// What its parts may hold is so much less than a budget that Go's collector, which is told
// to stay within, is not kept busy by it.
const (
	executable = 32 << 20 // its pages, which Go does not count
	always     = 12 << 20 // goroutines, and what clients and the engine hold whatever they do
	excess     = 32       // the part of a budget by which the collector may be late
)

// Shares are what the parts of a process may hold, in bytes.
type Shares struct {
	Runtime  int64 // records that wait, and the entries of stores
	Cache    int64 // the engine's, of blocks
	MemTable int64 // the engine's, which has two
}

// Divide leaves two fifths to the garbage between two collections. The rest is the
// runtime's but, if there is an engine, for a quarter: an entry that the runtime keeps
// costs nothing to read, and one in the engine's blocks some us.
func (b Budget) Divide(engine bool) Shares {
	held := max(b.limit()-always, int64(b)/4) * 3 / 5
	if !engine {
		return Shares{Runtime: held}
	}
	return Shares{Runtime: held * 3 / 4, Cache: held / 8, MemTable: held / 16}
}

// limit is what Go is told that it may take.
func (b Budget) limit() int64 { return max(int64(b)-executable-int64(b)/excess, int64(b)/2) }

// Impose makes Go's collector work harder before the process holds more than its budget.
// A limit that the environment has set stays. Memory that no budget bounds, as that of
// state which is kept there, makes the collector work in vain.
func (b Budget) Impose() (limit int64) {
	if set := debug.SetMemoryLimit(-1); set != math.MaxInt64 {
		return set
	}
	limit = b.limit()
	debug.SetMemoryLimit(limit)
	return limit
}
