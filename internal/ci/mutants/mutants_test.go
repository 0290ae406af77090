package main

import (
	"flag"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the list of mutants anew")

const rules = 12

// Every patch applies to the code as it is, every rule is broken by one, and every
// guard exists. Whether the guards bite is for make mutants to say.
func TestMutants(t *testing.T) {
	t.Chdir("../../..")
	mutants, err := load(folder)
	if err != nil {
		t.Fatal(err)
	}
	broken := map[string]bool{}
	for _, m := range mutants {
		broken[m.rule] = true
		if _, err := m.apply(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		for _, g := range m.guards {
			if !exists(t, g) {
				t.Errorf("%s: %s has no test %s", m.name, g.pkg, g.pattern)
			}
		}
	}
	for n := range rules {
		if rule := fmt.Sprint(n+1, " "); !hasPrefix(broken, rule) {
			t.Errorf("no mutant breaks rule %s", rule)
		}
	}
}

func hasPrefix(set map[string]bool, prefix string) bool {
	for s := range set {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

// exists reports whether each alternative of a guard's pattern is the beginning of
// a test's name.
func exists(t *testing.T, g guard) bool {
	t.Helper()
	pkg, err := build.ImportDir(g.pkg, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range append(pkg.TestGoFiles, pkg.XTestGoFiles...) {
		text, err := os.ReadFile(filepath.Join(g.pkg, file))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	for alternative := range strings.SplitSeq(g.pattern, "|") {
		name, _, _ := strings.Cut(alternative, "/")
		if !regexp.MustCompile(`(?m)^func ` + name + `\w*\(t \*testing\.T\)`).Match(all) {
			return false
		}
	}
	return true
}

// The README beside the mutants ends with the list of them. Write it anew with:
// go test ./internal/ci/mutants -rewrite
func TestReadme(t *testing.T) {
	t.Chdir("../../..")
	mutants, err := load(folder)
	if err != nil {
		t.Fatal(err)
	}
	readme := filepath.Join(folder, "README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	const head = "\n| Mutant | What it does | Guards |\n| --- | --- | --- |\n"
	intro, _, _ := strings.Cut(string(text), head)
	want := intro + head
	for _, m := range mutants {
		want += m.line()
	}
	if *rewrite {
		text = []byte(want)
		if err := os.WriteFile(readme, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if string(text) != want {
		t.Error("the list has changed; if that is meant, run: go test ./internal/ci/mutants -rewrite")
	}
}

// line is a mutant in the README.
func (m *mutant) line() string {
	var guards []string
	for _, g := range m.guards {
		guards = append(guards, fmt.Sprintf("%s %s", strings.TrimPrefix(g.pkg, "./internal/"), strings.ReplaceAll(g.pattern, "|", ", ")))
	}
	return fmt.Sprintf("| %s | %s | %s |\n", m.name, m.what, strings.Join(guards, "; "))
}

const example = `# rule: 8 Undo is whole
# what: nothing works
# guard: ./internal/task -run TestUndo|TestDo/it
--- a.txt
@@
 one
-two
+2

 four
@@
-five
`

func TestApply(t *testing.T) {
	t.Parallel()
	m, err := parse("x", example)
	if err != nil {
		t.Fatal(err)
	}
	if m.rule != "8 Undo is whole" || m.what != "nothing works" || len(m.guards) != 1 || m.guards[0] != (guard{"./internal/task", "TestUndo|TestDo/it"}) || len(m.hunks) != 2 {
		t.Errorf("%+v", m)
	}
	for text, want := range map[string]string{
		"zero\none\ntwo\n\nfour\nfive":       "zero\none\n2\n\nfour\nfive",
		"one\ntwo\nthree\nfour":              "",
		"one\ntwo\n\nfour\none\ntwo\n\nfour": "",
		"":                                   "",
	} {
		got, err := m.hunks[0].apply(strings.Split(text, "\n"))
		if s := strings.Join(got, "\n"); s != want || (err != nil) != (want == "") {
			t.Errorf("%q became %q, %v", text, s, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for old, wrong := range map[string]string{
		"# rule: 8 Undo is whole": "# role: 8",
		"# what: nothing works":   "",
		"-run TestUndo":           "-run Test Undo",
		"--- a.txt":               "",
		" one":                    "one",
	} {
		if m, err := parse("x", strings.Replace(example, old, wrong, 1)); err == nil {
			t.Errorf("with %q: %+v", wrong, m)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]result{
		`{"Action":"run","Test":"A"}{"Action":"pass","Test":"A"}`: {ran: 1},
		`{"Action":"run","Test":"A"}{"Action":"run","Test":"A/b"}{"Action":"output","Test":"A/b","Output":"why"}{"Action":"fail","Test":"A/b"}{"Action":"fail","Test":"A"}{"Action":"fail"}`: {ran: 2, failed: "A/b", output: "why"},
		`{"Action":"build-output","Output":"a warning"}{"Action":"run","Test":"A"}`:                                                                                                          {ran: 1},
	} {
		got, broken := read([]byte(strings.ReplaceAll(out, "}{", "}\n{")))
		if got != want || broken != "" {
			t.Errorf("%s\nis %+v, %q", out, got, broken)
		}
	}
	_, broken := read([]byte(`{"Action":"build-output","Output":"a mistake"}` + "\n" + `{"Action":"build-fail"}`))
	if broken != "a mistake" {
		t.Errorf("broken: %q", broken)
	}
}
