// Package house checks the shape of the project: which package may import which,
// how long a function may be.
package house

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew")

const (
	root   = "../../.."
	module = "github.com/leatstream/leat/"

	maxFunction   = 60
	maxFile       = 500
	maxParameters = 5
)

// exceptions to the budgets, each with its reason.
var exceptions = map[string]string{
	"internal/worker/producer.go:OnBrokerWrite": "the signature is the client's",
}

// A source is one file that is not a test.
type source struct {
	path  string // from the root
	lines int
	file  *ast.File
	fset  *token.FileSet
}

func sources(t *testing.T) (out []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if rel != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || rel == "bin" || rel == "integration" || rel == "bench" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, rel, text, parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, source{rel, strings.Count(string(text), "\n"), f, fset})
		return nil
	})
	if err != nil || len(out) == 0 {
		t.Fatal(len(out), "files:", err)
	}
	return out
}

// The import graph is a golden file, so that a new arrow is a decision. Write it
// anew with: go test ./internal/ci/house -rewrite
func TestImports(t *testing.T) {
	graph := map[string]map[string]bool{}
	for _, s := range sources(t) {
		dir := filepath.ToSlash(filepath.Dir(s.path))
		if graph[dir] == nil {
			graph[dir] = map[string]bool{}
		}
		for _, imp := range s.file.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			if to, ours := strings.CutPrefix(path, module); ours {
				graph[dir][to] = true
			} else if strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
				graph[dir][path] = true
			}
		}
	}
	var b strings.Builder
	for _, dir := range slices.Sorted(maps.Keys(graph)) {
		fmt.Fprintln(&b, dir)
		for _, to := range slices.Sorted(maps.Keys(graph[dir])) {
			fmt.Fprintln(&b, "\t"+to)
		}
	}
	const golden = "testdata/imports.txt"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != b.String() {
		t.Errorf("the import graph has changed (%v); if that is meant, run: go test ./internal/ci/house -rewrite\n%s", err, b.String())
	}
}

// What the core may not know, whatever the golden file says.
func TestArrowsGoOneWay(t *testing.T) {
	forbidden := []struct{ from, to string }{
		{"internal/task", "github.com/twmb"},
		{"internal/state", "github.com/twmb"},
		{"pkg/topology", "github.com/twmb"},
		{"pkg/store/", "github.com/twmb"},
		{"pkg/serde", module},
		{"internal/task", module + "pkg/"},
		{"internal/state", module + "pkg/"},
		{"internal/assign", module},
		{"internal/layout", "github.com/twmb"},
	}
	for _, s := range sources(t) {
		for _, imp := range s.file.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			for _, f := range forbidden {
				if strings.HasPrefix(s.path, f.from) && strings.HasPrefix(path, f.to) && !strings.HasPrefix(path, module+f.from) && path != module+"pkg/window" { // which knows nothing
					t.Errorf("%s imports %s", s.path, path)
				}
			}
			if strings.Contains(path, "cockroachdb/pebble") && !strings.HasPrefix(s.path, "pkg/store/pebble/") {
				t.Errorf("%s imports Pebble", s.path)
			}
		}
	}
}

func TestBudgets(t *testing.T) {
	for _, s := range sources(t) {
		if ast.IsGenerated(s.file) {
			continue
		}
		if s.lines > maxFile && exceptions[s.path] == "" {
			t.Errorf("%s has %d lines; %d is the budget", s.path, s.lines, maxFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := s.path + ":" + f.Name.Name
			if exceptions[name] != "" {
				continue
			}
			if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; n > maxFunction {
				t.Errorf("%s has %d lines; %d is the budget", name, n, maxFunction)
			}
			if n := f.Type.Params.NumFields(); n > maxParameters {
				t.Errorf("%s has %d parameters; %d is the budget", name, n, maxParameters)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	commented := map[string]bool{}
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path)
		commented[dir] = commented[dir] || s.file.Doc != nil
	}
	for _, dir := range slices.Sorted(maps.Keys(commented)) {
		if !commented[dir] {
			t.Errorf("package %s has no comment that says its one job", dir)
		}
	}
}

func TestASCII(t *testing.T) {
	for _, s := range sources(t) {
		text, err := os.ReadFile(filepath.Join(root, s.path))
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range text {
			if c > 127 {
				t.Errorf("%s:%d is not ASCII", s.path, 1+strings.Count(string(text[:i]), "\n"))
				break
			}
		}
	}
}
