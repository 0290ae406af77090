package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// A Service is a program with its arguments, which is started again and again. All its processes write to one log file,
// that is kept among the test's artifacts; a failed test prints the end of it.
type Service struct {
	Name string

	path string
	args []string
	log  *os.File

	mu sync.Mutex
	p  *Process // the last
}

// New returns a service that does not run yet. What of it still runs when the test ends is killed.
func New(t testing.TB, name, path string, args ...string) *Service {
	t.Helper()
	log, err := os.Create(filepath.Join(t.ArtifactDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{Name: name, path: path, args: args, log: log}
	t.Cleanup(func() {
		s.close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the end of the log of %s:\n%s", name, tail(text, 16<<10))
		}
	})
	return s
}

// Start starts the service, with additions to its environment. It must not be running.
func (s *Service) Start(env ...string) (*Process, error) {
	cmd := exec.Command(s.path, s.args...)
	cmd.Env = append(os.Environ(), env...)
	p, err := start(cmd, s.log)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.p = p
	return p, nil
}

func (s *Service) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.p != nil {
		s.p.Kill()
	}
	s.log.Close()
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
