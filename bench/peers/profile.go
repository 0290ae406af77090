package main

import (
	"errors"
	"os"
	"runtime/pprof"
)

// profiled calls f, and writes its CPU profile to a file, and its allocations to another beside it, if path is not empty.
func profiled(path string, f func() error) error {
	if path == "" {
		return f()
	}
	cpu, err := os.Create(path)
	if err != nil {
		return err
	}
	defer cpu.Close()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, allocations(path+".allocs"))
}

func allocations(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return pprof.Lookup("allocs").WriteTo(file, 0)
}
