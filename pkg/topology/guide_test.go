package topology_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const guide = "../../docs/dsl.md"

// What the guide shows is part of an example, which has been run.
func TestGuideShowsExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		code.WriteString(flat(string(text)))
	}
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	for _, b := range blocks {
		if !strings.Contains(code.String(), flat(b[1])) {
			t.Errorf("no example has this:\n%s", b[1])
		}
	}
	if len(blocks) < 20 {
		t.Errorf("%d examples", len(blocks))
	}
}

// flat is code without its indentation.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}

// The guide has every verb.
func TestGuideIsWhole(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	verbs := 0
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() || !handle(fn.Recv.List[0].Type) {
				continue
			}
			verbs++
			if !regexp.MustCompile(`\b` + fn.Name.Name + `\b`).Match(text) {
				t.Errorf("%s: %s is not in the guide", f, fn.Name.Name)
			}
		}
	}
	if verbs < 40 {
		t.Errorf("%d verbs", verbs)
	}
}

// handle reports whether a type is one whose methods are verbs.
func handle(recv ast.Expr) bool {
	if i, ok := recv.(*ast.IndexListExpr); ok {
		name, ok := i.X.(*ast.Ident)
		return ok && strings.Contains(" Stream Table Cogroup Regrouped ", " "+name.Name+" ")
	}
	return false
}
