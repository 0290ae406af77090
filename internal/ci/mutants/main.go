// Command mutants breaks the rules of exactly-once on purpose, one at a time, and sees that a test notices. Each file in
// testdata/mutants is one breach: a patch, and the tests that must fail with it. Nothing in the tree is changed: go test
// gets the patched files as an overlay.
//
//	mutants [-v] [-timeout 2m] [part of a name]...
//	killed     3.1s 01-claims-not-checked: TestNotOwned
//	SURVIVED   2.2s 08-timers-not-undone: the undo of a record leaves its timers; failed: []
//	1 killed, 1 survived
//
// It fails if a mutant survived, if a patch does not apply or what it makes does not compile, which proves nothing, and
// if a guard fails on the code as it is.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const folder = "testdata/mutants"

func main() {
	verbose := flag.Bool("v", false, "show why each mutant was killed")
	timeout := flag.Duration("timeout", 2*time.Minute, "the `time` that one guard may take")
	flag.Parse()
	start := time.Now()
	killed, survived, err := hunt(&tester{timeout: *timeout, verbose: *verbose}, flag.Args())
	fmt.Printf("took %v\n", time.Since(start).Round(time.Second))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%d killed, %d survived\n", killed, survived)
	if err != nil || survived > 0 {
		os.Exit(1)
	}
}

// hunt tries the mutants whose names contain one of parts, or all.
func hunt(t *tester, parts []string) (killed, survived int, err error) {
	mutants, err := load(folder)
	if err != nil {
		return 0, 0, err
	}
	mutants = slices.DeleteFunc(mutants, func(m *mutant) bool {
		return len(parts) > 0 && !slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(m.name, part) })
	})
	if len(mutants) == 0 {
		return 0, 0, errors.New("there is no such mutant")
	}
	if err := t.healthy(mutants); err != nil {
		return 0, 0, fmt.Errorf("the guards fail on the code as it is: %w", err)
	}
	var broken []error
	for _, m := range mutants {
		start := time.Now()
		killers, dead, err := t.hunt(m)
		took := time.Since(start).Seconds()
		switch {
		case err != nil:
			fmt.Printf("BROKEN   %5.1fs %s: %v\n", took, m.name, err)
			broken = append(broken, fmt.Errorf("%s: %w", m.name, err))
		case dead:
			fmt.Printf("killed   %5.1fs %s: %s\n", took, m.name, strings.Join(killers, ", "))
			killed++
		default:
			fmt.Printf("SURVIVED %5.1fs %s: %s; failed: %v\n", took, m.name, m.what, killers)
			survived++
		}
	}
	return killed, survived, errors.Join(broken...)
}
