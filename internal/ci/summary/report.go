package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An event is a line of go test -json; `go doc test2json` and `go help buildjson` describe them.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output, instead of Package
	Test        string
	Output      string
	OutputType  string // "error" and "error-continue" are a test's own
	Elapsed     float64
	FailedBuild string // the ImportPath whose build failed
}

// A report counts a suite's tests, subtests too, and prints what is worth reading.
type report struct {
	w                       io.Writer
	passed, failed, skipped int

	output   map[string]*strings.Builder // by package or package and test, until that ends
	errors   map[string]*strings.Builder // what of it are errors
	packages map[string]*report          // the counts of each package
}

func newReport(w io.Writer) *report {
	return &report{w: w, output: make(map[string]*strings.Builder), errors: make(map[string]*strings.Builder), packages: make(map[string]*report)}
}

func (r *report) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", r.passed, r.failed, r.skipped)
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				r.add(e)
			} else {
				fmt.Fprintf(r.w, "%s", line) // go test's own complaint
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	switch {
	case strings.HasSuffix(e.Action, "output"): // also build-output
		text(r.output, e.Package+e.ImportPath, e.Test).WriteString(e.Output)
		if strings.HasPrefix(e.OutputType, "error") {
			text(r.errors, e.Package, e.Test).WriteString(e.Output)
		}
	case e.Test != "":
		r.endTest(e)
	case e.Action == "pass" || e.Action == "fail":
		r.endPackage(e)
	}
}

func (r *report) endTest(e event) {
	p := r.counts(e.Package)
	switch e.Action {
	case "pass":
		r.passed++
		p.passed++
	case "fail":
		r.failed++
		p.failed++
		// What is wrong comes first: it is what is left where only the head of this is shown.
		fmt.Fprintf(r.w, "FAILED %s %s\n%s%s", e.Package, e.Test, text(r.errors, e.Package, e.Test), r.take(e.Package, e.Test))
	case "skip":
		r.skipped++
		p.skipped++
		fmt.Fprintf(r.w, "SKIPPED %s: %s\n", e.Test, reason(r.take(e.Package, e.Test)))
	default:
		return // run, pause, cont
	}
	r.take(e.Package, e.Test)
}

func (r *report) endPackage(e event) {
	p, text := r.counts(e.Package), r.take(e.Package, "")
	word := "ok"
	if e.Action == "fail" {
		word = "FAILED"
		if p.failed == 0 { // it did not build, or ended outside of a test: that counts as a failed test
			r.failed++
			p.failed++
			text = r.take(e.FailedBuild, "") + text + r.unfinished(e.Package)
		}
		fmt.Fprint(r.w, text)
	}
	fmt.Fprintf(r.w, "%-6s %s %.1fs: %v\n", word, e.Package, e.Elapsed, p)
}

// unfinished returns the output of the tests of a package that never ended.
func (r *report) unfinished(pkg string) string {
	var all strings.Builder
	for _, key := range slices.Sorted(maps.Keys(r.output)) {
		if strings.HasPrefix(key, pkg+" ") {
			all.WriteString(r.output[key].String())
		}
	}
	return all.String()
}

func (r *report) counts(pkg string) *report {
	if r.packages[pkg] == nil {
		r.packages[pkg] = &report{}
	}
	return r.packages[pkg]
}

func text(of map[string]*strings.Builder, pkg, test string) *strings.Builder {
	key := pkg + " " + test
	if of[key] == nil {
		of[key] = new(strings.Builder)
	}
	return of[key]
}

// take returns the output of a package or test, and forgets it.
func (r *report) take(pkg, test string) string {
	s := text(r.output, pkg, test).String()
	delete(r.output, pkg+" "+test)
	delete(r.errors, pkg+" "+test)
	return s
}

var position = regexp.MustCompile(`(?m)^\s*\S+\.go:\d+: `)

// reason returns what a skipped test said, on one line.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(position.ReplaceAllString(output, "")) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			said = append(said, line)
		}
	}
	return strings.TrimPrefix(strings.Join(said, " "), "SKIPPED: ")
}
