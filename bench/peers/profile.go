package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"time"
)

// profiled calls f, and writes profiles of it if path is not empty: of its CPU time to a file of that name, and beside it
// of its allocations, of where it waits (.block, .mutex), and of what was in use when that was most (.heap), with a line of
// what the memory was at that time (.memory).
func profiled(path string, f func() error) error {
	if path == "" {
		return f()
	}
	cpu, err := os.Create(path)
	if err != nil {
		return err
	}
	defer cpu.Close()
	runtime.SetBlockProfileRate(int(20 * time.Microsecond))
	runtime.SetMutexProfileFraction(20)
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	var top summit
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends when f has, and is waited for
		defer close(stopped)
		top.watch(stop)
	}()
	err = f()
	pprof.StopCPUProfile()
	close(stop)
	<-stopped
	for _, name := range []string{"allocs", "block", "mutex"} {
		err = errors.Join(err, toFile(path+"."+name, func(w io.Writer) error { return pprof.Lookup(name).WriteTo(w, 0) }))
	}
	err = errors.Join(err, os.WriteFile(path+".heap", top.heap.Bytes(), 0o644))
	return errors.Join(err, os.WriteFile(path+".memory", []byte(top.says), 0o644))
}

func toFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return write(file)
}

// A summit is the moment when the heap held most after a collection.
type summit struct {
	live uint64
	heap bytes.Buffer
	says string
}

const summitInterval = 20 * time.Millisecond

func (s *summit) watch(stop <-chan struct{}) {
	tick := time.NewTicker(summitInterval)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		metrics.Read(live)
		if now := live[0].Value.Uint64(); now > s.live+s.live/20 {
			s.live = now
			s.heap.Reset()
			if err := pprof.Lookup("heap").WriteTo(&s.heap, 0); err != nil {
				s.says = err.Error()
				return
			}
			s.says = memory()
		}
	}
}

// memory is what Go's memory is used for, and what of the process is resident.
func memory() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	const mb = 1e6
	text := fmt.Sprintf("MB: heap in use %.0f, of it allocated %.0f, next collection at %.0f; idle %.0f, of it released %.0f; stacks %.0f; others of Go's %.0f\n",
		float64(m.HeapInuse)/mb, float64(m.HeapAlloc)/mb, float64(m.NextGC)/mb, float64(m.HeapIdle)/mb, float64(m.HeapReleased)/mb,
		float64(m.StackInuse)/mb, float64(m.MSpanSys+m.MCacheSys+m.BuckHashSys+m.GCSys+m.OtherSys)/mb)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(status) {
		if bytes.HasPrefix(line, []byte("Vm")) || bytes.HasPrefix(line, []byte("Rss")) {
			text += string(line)
		}
	}
	return text
}
