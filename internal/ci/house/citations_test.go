package house

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var cited = regexp.MustCompile("`(?:([a-z]+)\\.)?(Test\\w+)`|\\|")

// TestCitations: the tests that docs/reliability.md names, as in `package.TestOne`, `TestOther`, exist in their packages.
func TestCitations(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	pkg, n := "", 0
	for _, c := range cited.FindAllStringSubmatch(string(text), -1) {
		if c[2] == "" { // another cell
			pkg = ""
			continue
		}
		if c[1] != "" {
			pkg = c[1]
		}
		n++
		if pkg == "" || !hasTest(t, pkg, c[2]) {
			t.Errorf("docs/reliability.md names %s of package %q: there is none", c[2], pkg)
		}
	}
	if n < 30 {
		t.Errorf("%d tests are named", n)
	}
}

// hasTest reports whether a directory of that name has the test.
func hasTest(t *testing.T, pkg, test string) bool {
	t.Helper()
	for _, dir := range []string{"", "internal", "pkg", "pkg/store", "cmd/processor/internal"} {
		files, err := filepath.Glob(filepath.Join(root, dir, pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if regexp.MustCompile(`(?m)^func ` + test + `\(t \*testing\.T\)`).Match(text) {
				return true
			}
		}
	}
	return false
}
