// Package child runs a program and says, from outside, what it costs.
package child

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Process is a running program. Its methods are for one goroutine.
type Process struct {
	Started time.Time
	Ended   <-chan struct{} // closed when it has ended

	cmd    *exec.Cmd
	output *os.File // standard output and error
}

// Start starts a program whose output goes to a file.
func Start(output, path string, args []string, env ...string) (*Process, error) {
	file, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = file, file
	dieWithParent(cmd)
	ended := make(chan struct{})
	p := &Process{Started: time.Now(), Ended: ended, cmd: cmd, output: file}
	if err := cmd.Start(); err != nil {
		file.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	go func() { // ends with the process, which Stop ends
		defer close(ended)
		cmd.Wait()
	}()
	return p, nil
}

// Stop asks the process to end, and ends it if that takes longer than grace.
func (p *Process) Stop(grace time.Duration) {
	defer p.output.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended:
	case <-time.After(grace):
		p.cmd.Process.Kill()
		<-p.Ended
	}
}

// Output is the end of what the process has written.
func (p *Process) Output() string {
	text, err := os.ReadFile(p.output.Name())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-4<<10):]))
}

// ticks is how many units of CPU time /proc has for a second; Linux tells programs no other figure.
const ticks = 100

// CPU is the processor time that the process has used, of all its threads.
func (p *Process) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The command's name, in parentheses, may hold anything; utime and stime are the 12th and 13th field behind it.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc: %d fields of a process", len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks, err
}

// Memory is what of the process is resident, in bytes: now, and at most so far.
func (p *Process) Memory() (now, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "VmRSS:":
			now, err = strconv.ParseInt(fields[1], 10, 64)
		case "VmHWM:":
			peak, err = strconv.ParseInt(fields[1], 10, 64)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return now << 10, peak << 10, nil
}

// Machine is the processor time that everything on this machine has used.
func Machine() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var used int64
	for i, field := range strings.Fields(line)[1:] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i < 7 && i != 3 && i != 4 { // without idle and iowait, guests are counted in user already
			used += n
		}
	}
	return time.Duration(used) * time.Second / ticks, nil
}
