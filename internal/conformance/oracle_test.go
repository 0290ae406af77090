package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOracleFetch: what the oracle needs and was fetched in part is fetched again, and what
// is complete is not.
func TestOracleFetch(t *testing.T) {
	t.Parallel()
	bin, build, out := t.TempDir(), t.TempDir(), t.TempDir()
	calls := filepath.Join(out, "calls")
	for name, script := range map[string]string{
		// The first call is interrupted in the middle.
		"mvn":   `echo >> "$CALLS"; to=${!#}; to=${to#*=}; mkdir -p "$to"; touch "$to/a.jar"; [ "$(wc -l < "$CALLS")" -gt 1 ]; touch "$to/b.jar"`,
		"javac": `mkdir -p "$5"; touch "$5/Oracle.class"`,
		"java":  `exit 0`,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/usr/bin/env bash\nset -euo pipefail\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	run := func() error {
		cmd := exec.CommandContext(t.Context(), "bash", "testdata/oracle/run.sh", out, "1")
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "ORACLE_BUILD="+build, "CALLS="+calls)
		text, err := cmd.CombinedOutput()
		t.Logf("%v\n%s", err, text)
		return err
	}
	if run() == nil {
		t.Error("a fetch that was interrupted is taken for one that was not")
	}
	for range 2 {
		if err := run(); err != nil {
			t.Error(err)
		}
	}
	fetched, err := filepath.Glob(filepath.Join(build, "lib", "*.jar"))
	if n, _ := os.ReadFile(calls); err != nil || len(fetched) != 2 || strings.Count(string(n), "\n") != 2 {
		t.Errorf("fetched %v, %v, by %d calls", fetched, err, strings.Count(string(n), "\n"))
	}
}
