package conformance

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

var (
	dirs    = flag.String("dirs", "testdata/seed*", "run the files of the folders that match, several patterns with commas between")
	summary = flag.Bool("summary", false, "end with a line that counts")

	passed, failed atomic.Int64
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *summary {
		fmt.Printf("%d passed, %d failed\n", passed.Load(), failed.Load())
	}
	os.Exit(code)
}

func TestPeer(t *testing.T) {
	var paths []string
	for dir := range strings.SplitSeq(*dirs, ",") {
		found, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no files in %s (%v)", dir, err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		name := filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					failed.Add(1)
				} else if !t.Skipped() {
					passed.Add(1)
				}
			})
			f, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Check(t); err != nil {
				t.Error(err)
			}
		})
	}
}

// A file that says something else than what happens must fail.
func TestDifferences(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*File){
		"another value":       func(f *File) { f.Steps[3].Out[0].Value = new("x") },
		"another time":        func(f *File) { f.Steps[3].Out[0].Time++ },
		"one record less":     func(f *File) { f.Steps[3].Out = nil },
		"one record more":     func(f *File) { f.Steps[3].Out = append(f.Steps[3].Out, f.Steps[3].Out[0]) },
		"an unknown scenario": func(f *File) { f.Scenario = "x" },
	} {
		f, err := Read("testdata/seed1/count-by-key.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		spoil(f)
		if err := f.Check(t); err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// Records of one key are compared in order, those of different keys are not.
func TestOrder(t *testing.T) {
	t.Parallel()
	rec := func(k, v string) Record { return Record{Topic: "out", Key: &k, Value: &v} }
	a := fmt.Sprint(lines([]Record{rec("a", "1"), rec("b", "1"), rec("a", "2")}))
	if b := fmt.Sprint(lines([]Record{rec("b", "1"), rec("a", "1"), rec("a", "2")})); a != b {
		t.Errorf("the order between keys matters:\n%s\n%s", a, b)
	}
	if b := fmt.Sprint(lines([]Record{rec("a", "2"), rec("b", "1"), rec("a", "1")})); a == b {
		t.Error("the order within a key does not matter")
	}
}

// Every scenario has its files, and no two families have one of the same name.
func TestEveryScenarioIsRun(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range families {
		for name := range f {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
			for _, seed := range []string{"seed1", "seed2"} {
				if _, err := os.Stat(filepath.Join("testdata", seed, name+".jsonl")); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
