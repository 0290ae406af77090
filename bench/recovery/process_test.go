package recovery

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A line of a process's log.
type line struct {
	Message string    `json:"msg"`
	Time    time.Time `json:"time"`
	Millis  int64     `json:"ms"`
	Records int64     `json:"records"`
	Took    any       `json:"took"` // a duration in ns, or as text
}

// A process of a job.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start starts a process, which is killed when the test ends.
func start(t testing.TB, s system, j *job, name string) *process {
	t.Helper()
	args := s.command(j, name)
	p := &process{t: t, cmd: exec.Command(args[0], args[1:]...), log: filepath.Join(t.TempDir(), name+".log"), done: make(chan struct{})}
	file, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which the cleanup kills
		defer close(p.done)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		if t.Failed() {
			text, _ := os.ReadFile(p.log)
			t.Logf("the end of the log of %s:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
	return p
}

// signal sends a signal, and returns when the process has ended.
func (p *process) signal(s syscall.Signal) {
	p.cmd.Process.Signal(s)
	<-p.done
}

// cpu is what the process has used; it must have ended.
func (p *process) cpu() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// alive fails the test if the process has ended.
func (p *process) alive() {
	p.t.Helper()
	select {
	case <-p.done:
		p.t.Fatalf("%s has ended: %v", p.cmd.Args[0], p.cmd.ProcessState)
	default:
	}
}

// lines are what the process has logged so far.
func (p *process) lines() (lines []line) {
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, raw := range bytes.Split(text, []byte("\n")) {
		var l line
		if json.Unmarshal(raw, &l) == nil && l.Message != "" {
			lines = append(lines, l)
		}
	}
	return lines
}
