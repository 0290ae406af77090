package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const header = "package x\n\nimport \"testing\"\n\n"

// TestRun runs a small module's tests for each way in which a suite may end.
func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		counts string
		prints []string
		err    string
	}{
		"pass": {
			body:   "func TestA(t *testing.T) { t.Run(\"sub\", func(t *testing.T) {}) }",
			counts: "2 passed, 0 failed, 0 skipped", prints: []string{"ok     x ", "s: 2 passed"},
		},
		"fail": {
			body:   "func TestA(t *testing.T) {}\nfunc TestB(t *testing.T) { t.Log(\"before\"); t.Error(\"wrong\") }",
			counts: "1 passed, 1 failed, 0 skipped",
			prints: []string{"FAILED x TestB\n    x_test.go:6: wrong\n", "x_test.go:6: before\n    x_test.go:6: wrong\n", "FAILED x "},
		},
		"skip": {
			body:   "func TestA(t *testing.T) {}\nfunc TestB(t *testing.T) { t.Skip(\"SKIPPED: real Kafka: none\") }",
			counts: "1 passed, 0 failed, 1 skipped", prints: []string{"SKIPPED TestB: real Kafka: none\n"},
		},
		"panic": {
			body:   "func TestA(t *testing.T) {}\nfunc TestB(t *testing.T) { panic(\"boom\") }",
			counts: "1 passed, 1 failed, 0 skipped", prints: []string{"panic: boom", "FAILED x "},
		},
		"exit": {
			body:   "func TestA(t *testing.T) { println(\"gone\"); panic(nil) }\nfunc TestMain(m *testing.M) { panic(\"main\") }",
			counts: "0 passed, 1 failed, 0 skipped", prints: []string{"panic: main"},
		},
		"no build": {
			body:   "func TestA(t *testing.T) { undefined() }",
			counts: "0 passed, 1 failed, 0 skipped", prints: []string{"undefined: undefined"},
		},
		"no test": {
			body:   "func helper(t *testing.T) {}",
			counts: "0 passed, 0 failed, 0 skipped", err: "no test ran",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), "module x\n")
			write(t, filepath.Join(dir, "x_test.go"), header+c.body+"\n")
			var out strings.Builder
			r := newReport(&out)
			err := run(dir, nil, r)
			if got := r.String(); got != c.counts {
				t.Errorf("counts %s, want %s", got, c.counts)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			for _, want := range c.prints {
				if !strings.Contains(out.String(), want) {
					t.Errorf("not printed: %q, but\n%s", want, &out)
				}
			}
		})
	}
}

func TestRunBadFlag(t *testing.T) {
	t.Parallel()
	if err := run(t.TempDir(), []string{"-nonsense"}, newReport(t.Output())); err == nil {
		t.Error("no error")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
