// Package program runs a program of this project as its operator would: as a process with a log, that can be asked how
// it is, killed, and started again.
package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built are the programs of a test binary, by the folder of their source.
var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

// Build compiles the program whose source is in folder, with its failpoints, once for a test binary, and returns its
// path. The binary's TestMain calls RemoveBuilt.
func Build(t testing.TB, folder string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if path := built.paths[folder]; path != "" {
		return path
	}
	path, err := build(folder)
	if err != nil {
		t.Fatal(err)
	}
	built.paths[folder] = path
	return path
}

func build(folder string) (path string, err error) {
	if built.dir == "" {
		if built.dir, err = os.MkdirTemp("", "leat-programs-"); err != nil {
			return "", err
		}
		built.paths = make(map[string]string)
	}
	path = filepath.Join(built.dir, filepath.Base(folder))
	out, err := exec.Command("go", "build", "-C", folder, "-tags", "failpoints", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", folder, err, out)
	}
	return path, nil
}

// RemoveBuilt removes the programs that were built.
func RemoveBuilt() {
	built.Lock()
	defer built.Unlock()
	os.RemoveAll(built.dir)
}
