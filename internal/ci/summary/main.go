// Command summary runs go test and prints what a reader of its log wants: a line for each package with its time, every
// failure in full, every skipped test with its reason, and last the counts alone:
//
//	summary [-C dir] [-budget 8m] -- [flags and packages of go test]
//	12 passed, 0 failed, 1 skipped
//
// It fails if a test failed, a package did not build, or no test ran.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	dir := flag.String("C", ".", "`folder` of the module to test")
	budget := flag.Duration("budget", 0, "the `time` that this suite should take at most")
	flag.Parse()
	start := time.Now()
	r := newReport(os.Stdout)
	err := run(*dir, flag.Args(), r)
	took := time.Since(start).Round(time.Second)
	fmt.Printf("took %v", took)
	if *budget > 0 {
		fmt.Printf(" of %v", *budget)
	}
	if *budget > 0 && took > *budget {
		fmt.Print(": TOO LONG")
	}
	fmt.Println()
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(r)
	if err != nil || r.failed > 0 {
		os.Exit(1)
	}
}

// run runs the suite and returns an error for what is not a test's failure.
func run(dir string, args []string, r *report) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := r.read(out)
	if err := cmd.Wait(); err != nil && r.failed == 0 {
		return fmt.Errorf("go test: %w", err)
	}
	if readErr == nil && r.passed+r.failed == 0 {
		return errors.New("no test ran")
	}
	return readErr
}
