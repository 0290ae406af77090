package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// A Process is one run of a service. Its methods may be called from any goroutine.
type Process struct {
	Started time.Time

	cmd    *exec.Cmd
	log    *log
	errs   bytes.Buffer // standard error; complete once done is closed
	done   chan struct{}
	waited error // of cmd.Wait, once done is closed
}

func start(cmd *exec.Cmd, file io.Writer) (*Process, error) {
	p := &Process{Started: time.Now(), cmd: cmd, log: newLog(), done: make(chan struct{})}
	cmd.Stdout = io.MultiWriter(file, p.log)
	cmd.Stderr = io.MultiWriter(file, &p.errs)
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which its service kills
		defer close(p.done)
		p.waited = cmd.Wait()
		p.log.close()
	}()
	return p, nil
}

// Kill ends the process at once, by SIGKILL, unless it has ended.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Pause freezes the process: its connections stay open and nothing answers.
func (p *Process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Unpause lets a paused process go on.
func (p *Process) Unpause() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Killed waits until the process is ended by SIGKILL. Any other end is an error.
func (p *Process) Killed(ctx context.Context) error {
	if err := p.ended(ctx); err != nil {
		return err
	}
	if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGKILL {
		return fmt.Errorf("ended by itself: %w", p.end())
	}
	return nil
}

// Ask asks the process to stop, by SIGTERM, and waits until it has. It is an error if it does not stop cleanly.
func (p *Process) Ask(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, p.waited)
	}
	if err := p.ended(ctx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if p.waited != nil {
		return fmt.Errorf("stop: %w", p.end())
	}
	return nil
}

// Stop is Ask of a process that nothing has happened to: it is also an error if it warns of anything while it stops.
func (p *Process) Stop(ctx context.Context) error {
	before, _, _ := p.log.read()
	if err := p.Ask(ctx); err != nil {
		return err
	}
	lines, _, _ := p.log.read()
	for _, l := range lines[len(before):] {
		if level := l.Text("level"); level == "WARN" || level == "ERROR" {
			return fmt.Errorf("stop: it logged %v", l)
		}
	}
	return nil
}

// Exit waits until the process has ended by itself, and returns its exit code and standard error.
func (p *Process) Exit(ctx context.Context) (code int, stderr string, err error) {
	if err := p.ended(ctx); err != nil {
		return 0, "", err
	}
	return p.cmd.ProcessState.ExitCode(), p.errs.String(), nil
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

func (p *Process) ended(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end is how the process has ended, as an error.
func (p *Process) end() error {
	return fmt.Errorf("%v: %s", p.cmd.ProcessState, bytes.TrimSpace(tail(p.errs.Bytes(), 4<<10)))
}
