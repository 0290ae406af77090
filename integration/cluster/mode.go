package cluster

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	modeContainer = "container"
	modeProcess   = "process"

	heap = "-Xms384m -Xmx384m"
)

// possible returns how this machine runs a Kafka, or skips the test.
func possible(t testing.TB) string {
	t.Helper()
	m := mode()
	if m != modeContainer && m != modeProcess {
		t.Skip("SKIPPED: real Kafka: no docker, no Java 17 with the broker's jars; see kafka/ensure.sh")
	}
	return m
}

// mode is the environment's KAFKA_MODE, which kafka/ensure.sh prints, or what is found here.
var mode = sync.OnceValue(func() string {
	if m := os.Getenv("KAFKA_MODE"); m != "" {
		return m
	}
	if exec.Command("docker", "version").Run() == nil {
		return modeContainer
	}
	ensure, err := script("ensure.sh")
	if err != nil {
		return ""
	}
	cmd := exec.Command(ensure)
	cmd.Env = append(os.Environ(), "KAFKA_MODE="+modeProcess)
	out, _ := cmd.Output()
	_, m, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
	return m
})

// script returns the path of a script of the folder kafka, which lies in a parent of the test's folder, or in the folder
// integration of one.
func script(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		for _, beside := range []string{"", "integration"} {
			path := filepath.Join(dir, beside, "kafka", name)
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no folder above this one has kafka/" + name)
		}
		dir = parent
	}
}

// tail returns the last lines of a log.
func tail(log []byte) string {
	lines := bytes.SplitAfter(log, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], nil))
}
