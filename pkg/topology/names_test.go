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

const forJava = "../../docs/from-kafka-streams.md"

// public are the packages that the guide for users of Kafka Streams speaks of, and the one
// whose types topology calls its own.
var public = []string{"../topology", "../topology/topologytest", "../store", "../store/pebble", "../serde", "../window", "../streams", "../../internal/task"}

var (
	codeSpan  = regexp.MustCompile("`[^`]+`")
	qualified = regexp.MustCompile(`\b(topology|topologytest|store|pebble|serde|window|streams)\.([A-Z]\w+)`)
	exported  = regexp.MustCompile(`\b[A-Z]\w+`)
)

// What the guide for users of Kafka Streams calls by a name is there.
func TestNamesOnTheRight(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, dir := range public {
		exportedOf(t, dir, names)
	}
	text, err := os.ReadFile(forJava)
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) < 2 {
			continue
		}
		for _, code := range codeSpan.FindAllString(cells[1], -1) {
			for _, m := range qualified.FindAllStringSubmatch(code, -1) {
				if looked++; !names[m[1]+"."+m[2]] {
					t.Errorf("there is no %s.%s:\n%s", m[1], m[2], line)
				}
			}
			for _, name := range exported.FindAllString(code, -1) {
				if looked++; !names[name] && name != "K2" {
					t.Errorf("there is no %s:\n%s", name, line)
				}
			}
		}
	}
	if looked < 250 {
		t.Errorf("looked for %d names", looked)
	}
}

// exportedOf adds what a package exports to names: types, functions, constants and
// variables also with the package before them, methods and fields only without.
func exportedOf(t *testing.T, dir string, names map[string]bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[file.Name.Name+"."+fn.Name.Name] = true
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				names[n.Name.Name] = true
				return false
			case *ast.TypeSpec:
				names[n.Name.Name], names[file.Name.Name+"."+n.Name.Name] = true, true
			case *ast.ValueSpec:
				for _, id := range n.Names {
					names[id.Name], names[file.Name.Name+"."+id.Name] = true, true
				}
			case *ast.Field:
				for _, id := range n.Names {
					names[id.Name] = true
				}
			}
			return true
		})
	}
}
