// Package ours runs the jobs of the comparison on leat, through its public packages. Of the others it
// names one type, to count the engine's reads.
package ours

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/budget"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// Settings are what differs between runs. What is zero is at leat's default.
type Settings struct {
	Brokers      string
	Application  string
	Job          string
	In, Table    string
	Out          string
	Dir          string
	InMemory     bool  // instead of Pebble
	Budget       int64 // of the whole process; 0 is that of processor
	MemoryBudget int64 // leat's, in a process that has no budget
	ReportReads  bool  // tell, at the end, how often the engine was read
	EngineBytes  int64 // beside MemoryBudget: what Pebble may take, a quarter of it for its two memtables; 0 is its default
}

// Run runs a job until ctx ends.
func Run(ctx context.Context, s Settings) error {
	b, err := build(s)
	if err != nil {
		return err
	}
	t, err := b.Build()
	if err != nil {
		return err
	}
	var reads atomic.Int64
	memory := budget.Budget(cmp.Or(s.Budget, defaultBudget))
	shares := memory.Divide(!s.InMemory)
	if s.MemoryBudget > 0 {
		shares = budget.Shares{Runtime: s.MemoryBudget, Cache: s.EngineBytes / 4 * 3, MemTable: s.EngineBytes / 8}
	} else if !s.InMemory {
		memory.Impose()
	}
	c := streams.Config{
		Application:    s.Application,
		Brokers:        []string{s.Brokers},
		MemoryBudget:   shares.Runtime,
		InternalTopics: streams.InternalTopics{ReplicationFactor: 1},
		State:          streams.State{Dir: s.Dir},
		Logger:         slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if !s.InMemory {
		c.State.Engine = func(dir string) (store.Engine, error) {
			e, err := pebble.Open(dir, pebble.Options{CacheBytes: shares.Cache, MemTableBytes: shares.MemTable})
			if err != nil || !s.ReportReads {
				return e, err
			}
			return countingEngine{e, &reads}, nil
		}
	}
	app, err := streams.New(t, c)
	if err != nil {
		return err
	}
	err = app.Run(ctx)
	if s.ReportReads {
		fmt.Println("engine reads:", reads.Load())
	}
	return err
}

// defaultBudget is processor's memory.budget.
const defaultBudget = 256 << 20

// countingEngine counts the reads of single keys.
type countingEngine struct {
	store.Engine
	reads *atomic.Int64
}

func (e countingEngine) Get(ns engine.Namespace, key, dst []byte) ([]byte, bool, error) {
	e.reads.Add(1)
	return e.Engine.Get(ns, key, dst)
}

const (
	windowSize = 10 * time.Second
	grace      = 10 * time.Second
)

func build(s Settings) (*topology.Builder, error) {
	b := topology.New()
	events := topology.NewTopic(s.In, serde.String, serde.Bytes)
	texts := topology.NewTopic(s.In, serde.String, serde.String)
	counts := store.KeyValue("counts", serde.String, serde.Int64)
	output := topology.NewTopic(s.Out, serde.String, serde.Int64)
	switch s.Job {
	case "copy":
		b.From(topology.NewTopic(s.In, serde.Bytes, serde.Bytes)).To(topology.NewTopic(s.Out, serde.Bytes, serde.Bytes))
	case "count":
		b.From(events).Count(counts).Stream().To(output)
	case "coalesced":
		b.From(events).Count(counts, topology.Coalesced()).Stream().To(output)
	case "window":
		windows := topology.NewTopic(s.Out, serde.TimeWindowed(serde.String, windowSize), serde.Int64)
		topology.Windowed(b.From(events), window.Tumbling(windowSize).Grace(grace)).
			Count(store.Window("counts", serde.String, serde.Int64)).Stream().To(windows)
	case "repartition":
		via := topology.NewRepartition("by-value", serde.String, serde.String)
		b.From(texts).KeyBy(via, func(_, v string) string { return v[:8] }).Count(counts).Stream().To(output)
	case "join":
		rows := b.Table(topology.NewTopic(s.Table, serde.String, serde.String), store.KeyValue("rows", serde.String, serde.String))
		b.From(texts).JoinTable(rows, func(_, v, row string) string { return row + v[len(row):] }).
			To(topology.NewTopic(s.Out, serde.String, serde.String))
	default:
		return nil, fmt.Errorf("there is no job %q", s.Job)
	}
	return b, nil
}
