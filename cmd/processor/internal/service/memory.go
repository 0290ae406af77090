package service

import (
	"log/slog"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/internal/budget"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
)

// limitMemory keeps the process within its budget, unless something that no budget bounds
// is in memory, too: the state, or the embedded broker's topics.
func limitMemory(c *config.Config, log *slog.Logger) {
	if c.State.Engine != "memory" && !c.Kafka.IsEmbedded() {
		log.Debug("memory is limited", "bytes", budget.Budget(c.Memory.Budget).Impose())
	}
}

// divide returns what leat and the engine may hold, and what opens the engine; nil for
// leat's own.
func divide(c *config.Config, log *slog.Logger) (runtime int64, engine func(dir string) (store.Engine, error)) {
	onDisk := c.State.Engine != "memory"
	shares := budget.Budget(c.Memory.Budget).Divide(onDisk)
	if !onDisk {
		return shares.Runtime, nil
	}
	return shares.Runtime, func(dir string) (store.Engine, error) {
		e, err := pebble.Open(dir, pebble.Options{CacheBytes: shares.Cache, MemTableBytes: shares.MemTable, Logger: log})
		if err != nil {
			return nil, err
		}
		return e, nil
	}
}
