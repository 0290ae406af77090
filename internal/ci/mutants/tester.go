package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A tester runs guards.
type tester struct {
	timeout time.Duration
	verbose bool
}

// healthy runs all guards of mutants on the code as it is.
func (t *tester) healthy(mutants []*mutant) error {
	patterns := map[string][]string{}
	for _, m := range mutants {
		for _, g := range m.guards {
			if !slices.Contains(patterns[g.pkg], g.pattern) {
				patterns[g.pkg] = append(patterns[g.pkg], g.pattern)
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(patterns)) {
		start := time.Now()
		r, err := t.test(guard{pkg, strings.Join(patterns[pkg], "|")}, "")
		if err == nil && r.failed != "" {
			err = fmt.Errorf("%s\n%s", r.failed, r.output)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		fmt.Printf("healthy  %5.1fs %s: %d tests\n", time.Since(start).Seconds(), pkg, r.ran)
	}
	return nil
}

// hunt returns the tests that kill the mutant, one of each guard, and whether each
// guard had one.
func (t *tester) hunt(m *mutant) (killers []string, dead bool, err error) {
	files, err := m.apply()
	if err != nil {
		return nil, false, err
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	overlay, err := write(dir, files)
	if err != nil {
		return nil, false, err
	}
	dead = true
	for _, g := range m.guards {
		r, err := t.test(g, overlay)
		if err != nil {
			return nil, false, err
		}
		if t.verbose {
			fmt.Println(r.output)
		}
		if dead = dead && r.failed != ""; r.failed != "" {
			killers = append(killers, r.failed)
		}
	}
	return killers, dead, nil
}

// write puts changed files and the list of them, for go test, into dir.
func write(dir string, files map[string]string) (overlay string, err error) {
	replace := map[string]string{}
	for file, text := range files {
		original, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		changed := filepath.Join(dir, fmt.Sprint(len(replace), "-", filepath.Base(file)))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[original] = changed
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, list, 0o600)
}

// A result is what became of the tests of a guard.
type result struct {
	ran    int
	failed string // the first that did
	output string // its output
}

// test runs a guard. What is not a test's failure is an error.
func (t *tester) test(g guard, overlay string) (result, error) {
	cmd := exec.Command("go", "test", "-json", "-count=1", "-vet=off", "-failfast", "-timeout", t.timeout.String(), "-overlay", overlay, "-run", g.pattern, g.pkg)
	cmd.Env = append(os.Environ(), "LEAT_SEED=1", "SIM_SEEDS=2000") // a kill can be repeated, and does not take luck
	out, err := cmd.Output()
	r, broken := read(out)
	switch exit, _ := errors.AsType[*exec.ExitError](err); {
	case broken != "":
		return r, fmt.Errorf("it does not compile:\n%s", broken)
	case err != nil && exit == nil:
		return r, err
	case err != nil && r.ran == 0:
		return r, fmt.Errorf("go test: %w\n%s%s", err, exit.Stderr, r.output)
	case r.ran == 0:
		return r, fmt.Errorf("no test of %s matches %s", g.pkg, g.pattern)
	case err != nil && r.failed == "": // the process ended without a word of any test
		r.failed = g.pattern
	}
	return r, nil
}

// An event is a line of go test -json; `go doc test2json` and `go help buildjson` describe them.
type event struct {
	Action string
	Test   string
	Output string
}

// read returns what tests did, or what a compiler said.
func read(out []byte) (r result, broken string) {
	text := map[string]*strings.Builder{}
	failed := false
	for line := range bytes.Lines(out) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		if text[e.Test] == nil {
			text[e.Test] = new(strings.Builder)
		}
		switch {
		case e.Action == "build-output":
			broken += e.Output
		case e.Action == "build-fail":
			failed = true
		case e.Action == "output":
			text[e.Test].WriteString(e.Output)
		case e.Action == "run":
			r.ran++
		case e.Action == "fail" && e.Test != "" && r.failed == "": // of a test and its subtest, the subtest is first
			r.failed = e.Test
		}
	}
	if b := text[r.failed]; b != nil {
		r.output = b.String()
	}
	if !failed {
		broken = "" // a warning of the linker
	}
	return r, broken
}
