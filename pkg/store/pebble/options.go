package pebble

import (
	"log/slog"
	"runtime"
	"time"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say how much memory an engine may use and whom it tells of trouble.
// The zero value is good for a process that has one engine.
//
// The engine takes CacheBytes and twice MemTableBytes. Where more buffers wait
// for the disk than these two, the cache gives way to them.
type Options struct {
	// CacheBytes is the size of the cache of blocks read from disk, one for
	// all stores. Zero is 64 MiB.
	CacheBytes int64

	// MemTableBytes is the size of a buffer of writes. Up to four exist while
	// the disk is behind; a Write that needs a fifth one waits. Zero is
	// 16 MiB.
	MemTableBytes int64

	// Logger gets what Pebble says, its information at level debug. Nil is
	// slog.Default().
	Logger *slog.Logger

	// OnFatal is told, at most once, of an error that the engine cannot
	// survive: a write to disk that failed, or damaged data, which wraps
	// engine.ErrCorrupt. The engine refuses writes from then on, with the same
	// error. OnFatal is called by whoever met the error, with locks held: it
	// must not block and must not call the engine. Nil is allowed.
	OnFatal func(error)

	ownTable int // ownTable, but in tests
}

const (
	defaultCacheBytes    = 64 << 20
	defaultMemTableBytes = 16 << 20
)

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = defaultMemTableBytes
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.ownTable == 0 {
		o.ownTable = ownTable
	}
	return o
}

// pebble returns Pebble's options. What is not set is Pebble's default. The
// figures are of BenchmarkEngine's keys and values, in CPU time of a busy
// machine; they are good to a tenth.
func (o Options) pebble(files vfs.FS, lock *pebbledb.Lock, f *fuse) *pebbledb.Options {
	p := &pebbledb.Options{
		FS:            files,
		Lock:          lock,
		Logger:        logger{f},
		EventListener: f.events(),

		// Memtables are reserved in the cache. A cache of 64 MiB beside two
		// memtables of 32 MiB holds nothing at all: a Get takes 18 us instead
		// of 7.
		CacheSize: o.CacheBytes + 2*o.MemTableBytes,

		// Sets cost their caller 0.7 us in a memtable of 8 MiB, 1.2 in 16 and
		// 1.9 in 64, because the skip list outgrows the CPU's caches, while
		// the CPU used in all, flushes and compactions included, falls from 40
		// to 33 at 16 MiB and no further. What larger memtables are good for
		// elsewhere, to swallow repeated writes of hot keys, has been done
		// before a batch gets here.
		MemTableSize:                uint64(o.MemTableBytes),
		MemTableStopWritesThreshold: 4,

		// Drop gives space back only when the memtable is flushed.
		FlushDelayDeleteRange: 10 * time.Second,

		// Restoring writes faster than one compaction at a time keeps up with,
		// but half of the CPUs are for processing.
		CompactionConcurrencyRange: func() (lower, upper int) { return 1, max(1, runtime.GOMAXPROCS(0)/2) },

		// A copy of a task with some hundred thousand entries comes as a few tables on top
		// of each other. From two on, the default, Pebble would merge them at the very moment
		// at which the task moves here. For a Get it makes no difference up to four.
		L0CompactionThreshold: 8,

		// Not FormatNewest: an upgrade of Pebble must not raise what is on
		// disk by itself. This is the first one with MinLZ.
		FormatMajorVersion: pebbledb.FormatTableFormatV6,
	}
	// MinLZ (Snappy on arm64): 8 million sets take 31 s of CPU, 33 s with
	// Snappy, 43 s with Zstandard and 28 s without compression, which takes a
	// third more disk. Blocks in the cache are not compressed.
	p.ApplyCompressionSettings(func() pebbledb.DBCompressionSettings { return pebbledb.DBCompressionFastest })

	// With filters a Get that misses takes 7 us instead of 15. They are on the
	// whole key, so that no Comparer of our own is needed. Pebble does not look
	// at a filter of the last level for a Get: none is written there.
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	p.Levels[len(p.Levels)-1].FilterPolicy = pebbledb.NoFilterPolicy
	return p
}
