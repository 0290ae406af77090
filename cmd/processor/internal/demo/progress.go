package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/leatstream/leat/cmd/processor/internal/terminal"
)

// progress shows how far a demo is: on a terminal in one line that is written
// again and again, elsewhere in a line now and then.
type progress struct {
	out      io.Writer
	terminal bool
	every    time.Duration
	start    time.Time
	last     time.Time
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, every: 2 * time.Second, start: time.Now()}
	if p.terminal = terminal.Is(out); p.terminal {
		p.every = 100 * time.Millisecond
	}
	p.last = p.start
	return p
}

// show prints how far it is, if it is time for that.
func (p *progress) show(f *feed, counted int64) {
	now := time.Now()
	if now.Sub(p.last) < p.every {
		return
	}
	p.last = now
	reading := "..." // there may be more
	if f.done.Load() {
		reading = ""
	}
	rate := float64(counted) / now.Sub(p.start).Seconds()
	line := fmt.Sprintf("%d lines read%s, %d of %d words counted, %.0f words/s", f.lines.Load(), reading, counted, f.words.Load(), rate)
	if p.terminal {
		terminal.Rewrite(p.out, line)
		return
	}
	fmt.Fprintln(p.out, line)
}

// clear removes the line of a terminal.
func (p *progress) clear() {
	if p.terminal {
		terminal.Rewrite(p.out, "")
	}
}
