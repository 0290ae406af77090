package main

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// tellResources logs, every second, what the process takes, until ctx ends.
func tellResources(ctx context.Context, log *slog.Logger, dir string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		handles, _ := os.ReadDir("/proc/self/fd") // none where there is no such thing
		log.Info("resources", "goroutines", runtime.NumGoroutine(), "memory", mem.Sys-mem.HeapReleased, "handles", len(handles), "disk", diskBytes(dir))
	}
}

// diskBytes is the size of all files in dir. Files may come and go meanwhile.
func diskBytes(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}
