package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Line is one of a log that is written in JSON.
type Line map[string]any

// Message is what the line says, without its attributes.
func (l Line) Message() string { return l.Text("msg") }

// Text is an attribute; empty if the line has none of that name.
func (l Line) Text(name string) string {
	if v, ok := l[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// Time is when the line was written.
func (l Line) Time() time.Time {
	t, _ := time.Parse(time.RFC3339Nano, l.Text("time"))
	return t
}

// Number is an attribute that is a number.
func (l Line) Number(name string) int64 {
	n, _ := l[name].(float64)
	return int64(n)
}

// A log takes in what a process writes, and keeps its lines.
type log struct {
	mu     sync.Mutex
	part   []byte // of a line that is not complete
	lines  []Line
	closed bool
	more   chan struct{} // closed when there is more to see
}

func newLog() *log { return &log{more: make(chan struct{})} }

// Write implements io.Writer. What is not JSON is passed over.
func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, b...)
	for {
		text, rest, ok := bytes.Cut(l.part, []byte("\n"))
		if !ok {
			break
		}
		var line Line
		if json.Unmarshal(text, &line) == nil {
			l.lines = append(l.lines, line)
		}
		l.part = rest
	}
	l.wakeLocked()
	return len(b), nil
}

func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wakeLocked()
}

func (l *log) wakeLocked() {
	close(l.more)
	l.more = make(chan struct{})
}

func (l *log) read() (lines []Line, closed bool, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines), l.closed, l.more
}

// Lines are those that the process has written so far and that say message.
func (p *Process) Lines(message string) []Line {
	lines, _, _ := p.log.read()
	return slices.DeleteFunc(lines, func(l Line) bool { return l.Message() != message })
}

// Await waits until the process has written n lines that say message, and returns all of them.
func (p *Process) Await(ctx context.Context, message string, n int) ([]Line, error) {
	for {
		_, closed, more := p.log.read()
		if lines := p.Lines(message); len(lines) >= n {
			return lines, nil
		}
		if closed {
			return nil, errors.Join(fmt.Errorf("it ended before it logged %q", message), p.end())
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %q in the log: %w", message, context.Cause(ctx))
		}
	}
}
