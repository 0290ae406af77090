package store

import "github.com/leatstream/leat/internal/engine"

// An Engine keeps the local copy of stores: an ordered map of bytes per store
// partition. See pkg/store/pebble for the durable one.
type Engine = engine.Engine

var (
	// ErrCorrupt is wrapped by errors of an engine that found its data damaged.
	ErrCorrupt = engine.ErrCorrupt
	// ErrLocked is wrapped by the error of opening a directory that another
	// process uses.
	ErrLocked = engine.ErrLocked
)
