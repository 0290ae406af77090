package service

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/leatstream/leat/cmd/processor/internal/terminal"
	"github.com/leatstream/leat/pkg/streams"
)

// A bar shows on a terminal how far restores are.
type bar struct {
	out   io.Writer
	shown bool
}

// restoreBar returns what draws a bar; nil if out is no terminal.
func restoreBar(out io.Writer) func([]streams.RestoreProgress) {
	if !terminal.Is(out) {
		return nil
	}
	b := &bar{out: out}
	return b.show
}

func (b *bar) show(all []streams.RestoreProgress) {
	text := barText(all)
	if text != "" || b.shown {
		terminal.Rewrite(b.out, text)
	}
	b.shown = text != ""
}

const barWidth = 30

// barText is one line for all restores; empty if all are done.
func barText(all []streams.RestoreProgress) string {
	var done, whole, bytes int64
	var rate float64
	var left time.Duration
	live := 0
	for _, p := range all {
		if p.Done {
			continue
		}
		live++
		done, whole, bytes = done+p.At-p.From, whole+p.To-p.From, bytes+p.Bytes
		rate, left = rate+p.Rate(), max(left, p.Left())
	}
	if live == 0 {
		return ""
	}
	full := int(barWidth * done / max(whole, 1))
	return fmt.Sprintf("restoring [%s%s] %d%% of %d store partitions, %.1f MiB, %.0f records/s, %v left",
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*done/max(whole, 1), live, float64(bytes)/(1<<20), rate, left.Round(time.Second))
}
