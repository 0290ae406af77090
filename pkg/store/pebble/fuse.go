package pebble

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leatstream/leat/internal/engine"
)

// A fuse blows at the first fatal error. From then on the engine writes no more
// and its directory stays as it is, as if the process had been killed at that
// moment: Pebble knows how to recover from that, while an error in the middle
// of its work may leave it in a state that it does not know (see frozenFS).
type fuse struct {
	dir     string
	logger  *slog.Logger
	onFatal func(error)
	once    sync.Once
	blown   atomic.Pointer[error]
}

// blow remembers the first error and tells it to the owner. It may be called
// with locks of Pebble held.
func (f *fuse) blow(err error) {
	f.once.Do(func() {
		err = describe(f.dir, err)
		f.blown.Store(&err)
		f.logger.Error("state engine stopped", "dir", f.dir, "err", err)
		if f.onFatal != nil {
			f.onFatal(err)
		}
	})
}

// failure returns the error that blew the fuse, nil if it is whole.
func (f *fuse) failure() error {
	if err := f.blown.Load(); err != nil {
		return *err
	}
	return nil
}

// explain turns an error of Pebble into one of ours. What Pebble says after
// the fuse has blown is a consequence: the cause is returned instead.
func (f *fuse) explain(err error) error {
	if err == nil {
		return nil
	}
	if failure := f.failure(); failure != nil {
		return failure
	}
	return describe(f.dir, err)
}

func describe(dir string, err error) error {
	if corrupt(err) {
		err = fmt.Errorf("%w: %w", engine.ErrCorrupt, err)
	}
	return fmt.Errorf("pebble: %s: %w", dir, err)
}

// A logger is Pebble's way to talk. Fatalf returns, other than Pebble expects:
// the process is not ours to end. The fuse has blown, so what Pebble does next
// does no harm.
type logger struct{ fuse *fuse }

func (l logger) Infof(format string, args ...any) {
	l.fuse.logger.Debug("pebble", "msg", fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	l.fuse.logger.Error("pebble", "msg", fmt.Sprintf(format, args...))
}

func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			err = fmt.Errorf("%v: %w", err, cause) // for errors.Is
			break
		}
	}
	l.fuse.blow(err)
}

// slow hears of a write that takes long.
func (f *fuse) slow(i vfs.DiskSlowInfo) {
	f.logger.Warn("disk is slow", "dir", f.dir, "op", i.String())
}

// events is what we want to hear of Pebble. Flushes and compactions are its
// own business.
func (f *fuse) events() *pebbledb.EventListener {
	return &pebbledb.EventListener{
		BackgroundError: f.blow,
		DataCorruption:  func(i pebbledb.DataCorruptionInfo) { f.blow(i.Details) },
		LowDiskSpace: func(i pebbledb.LowDiskSpaceInfo) {
			f.logger.Warn("disk is nearly full", "dir", f.dir, "left", i.String())
		},
		WriteStallBegin: func(i pebbledb.WriteStallBeginInfo) {
			f.logger.Warn("state engine waits for the disk", "dir", f.dir, "reason", i.Reason)
		},
	}
}
