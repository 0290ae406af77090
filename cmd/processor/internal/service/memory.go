package service

import (
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/leatstream/leat/cmd/processor/internal/config"
)

// limitMemory makes Go's collector work harder before the process holds much more than
// its budget. A limit that the environment has set stays. There is none where something
// that no budget bounds is in memory, too, and the collector would work in vain: the
// state, or the embedded broker's topics.
func limitMemory(c *config.Config, log *slog.Logger) {
	if c.State.Engine == "memory" || c.Kafka.IsEmbedded() || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	limit := memoryLimit(int64(c.Memory.Budget))
	debug.SetMemoryLimit(limit)
	log.Debug("memory is limited", "bytes", limit)
}

// memoryLimit leaves room beside the budget for what the clients hold while they encode
// and decode, and for the program itself.
func memoryLimit(budget int64) int64 { return budget + budget/2 + 32<<20 }
