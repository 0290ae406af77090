package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A mutant is one breach of a rule. Its file is a header and a diff without line numbers, so that it survives changes
// elsewhere: the lines of a hunk that begin with a space or a minus must be found exactly once, one after the other.
//
//	# rule: 8 Undo is whole
//	# what: the undo of a record leaves its timers
//	# guard: ./internal/task -run TestUndo
//	--- internal/task/policy.go
//	@@
//	 	for i, tm := range t.timers {
//	-		*tm = p.timers[i]
//	+		_, _ = tm, i
//	 	}
type mutant struct {
	name   string // of the file
	rule   string
	what   string
	guards []guard
	hunks  []hunk
}

// A guard is a test, or several of one package; at least one of them must fail.
type guard struct{ pkg, pattern string }

type hunk struct {
	file     string
	old, new []string
}

func load(dir string) (mutants []*mutant, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no mutants in %s: run this from the root of the module", dir)
	}
	var errs []error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m, err := parse(strings.TrimSuffix(filepath.Base(file), ".patch"), string(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		mutants = append(mutants, m)
	}
	return mutants, errors.Join(errs...)
}

var guardLine = regexp.MustCompile(`^(\./\S+) -run (\S+)$`)

func parse(name, text string) (*mutant, error) {
	m := &mutant{name: name}
	file := ""
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch {
		case key == "# rule":
			m.rule = value
		case key == "# what":
			m.what = value
		case key == "# guard":
			g := guardLine.FindStringSubmatch(value)
			if g == nil {
				return m, fmt.Errorf("line %d: a guard is a package and -run with a pattern, not %q", i+1, value)
			}
			m.guards = append(m.guards, guard{g[1], g[2]})
		case strings.HasPrefix(line, "--- "):
			file = line[4:]
		case strings.HasPrefix(line, "@@"):
			m.hunks = append(m.hunks, hunk{file: file})
		case len(m.hunks) == 0:
			return m, fmt.Errorf("line %d: %q is not part of a hunk", i+1, line)
		default:
			if err := m.hunks[len(m.hunks)-1].add(line); err != nil {
				return m, fmt.Errorf("line %d: %w", i+1, err)
			}
		}
	}
	if m.rule == "" || m.what == "" || len(m.guards) == 0 || len(m.hunks) == 0 || file == "" {
		return m, errors.New("it needs a rule, a what, a guard, a file and a hunk")
	}
	return m, nil
}

func (h *hunk) add(line string) error {
	sign, rest := byte(' '), ""
	if line != "" {
		sign, rest = line[0], line[1:]
	}
	switch sign {
	case ' ':
		h.old, h.new = append(h.old, rest), append(h.new, rest)
	case '-':
		h.old = append(h.old, rest)
	case '+':
		h.new = append(h.new, rest)
	default:
		return fmt.Errorf("%q begins with neither a space nor a sign", line)
	}
	return nil
}

// apply returns the files that the mutant changes, changed.
func (m *mutant) apply() (map[string]string, error) {
	files := map[string][]string{}
	for _, h := range m.hunks {
		if files[h.file] == nil {
			text, err := os.ReadFile(h.file)
			if err != nil {
				return nil, err
			}
			files[h.file] = strings.Split(string(text), "\n")
		}
		changed, err := h.apply(files[h.file])
		if err != nil {
			return nil, fmt.Errorf("the patch does not apply to %s: %w", h.file, err)
		}
		files[h.file] = changed
	}
	out := map[string]string{}
	for file, lines := range files {
		out[file] = strings.Join(lines, "\n")
	}
	return out, nil
}

func (h *hunk) apply(lines []string) ([]string, error) {
	at := -1
	for i := 0; i+len(h.old) <= len(lines); i++ {
		if !slices.Equal(lines[i:i+len(h.old)], h.old) {
			continue
		}
		if at >= 0 {
			return nil, fmt.Errorf("%q is there twice, in lines %d and %d", h.old[0], at+1, i+1)
		}
		at = i
	}
	if at < 0 || len(h.old) == 0 {
		return nil, fmt.Errorf("%q and what follows is not there", strings.Join(h.old, "\n"))
	}
	return slices.Replace(slices.Clone(lines), at, at+len(h.old), h.new...), nil
}
