package telemetry

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// A Snapshot is what can be read of a process at any time.
type Snapshot struct {
	Ready      bool
	Paused     bool
	Tasks      map[string]int // by state
	Stalled    int            // places
	Rebalances int64
	Processed  int64
	Commits    int64
	Dropped    map[string]int64 // by reason
	Workers    []Shares
	Lags       []Lag
	Restores   []Restore
	Restored   struct{ Records, Bytes int64 } // since the start
	State      State
}

// Shares is what a worker has spent its time with.
type Shares struct{ Busy, Blocked, Idle time.Duration }

// A Lag is how far a task is behind one of its inputs.
type Lag struct {
	Topic     string
	Partition int32
	Records   int64
	Time      time.Duration // the age of the last record, if there are more
}

// A Restore is a store partition that is being filled.
type Restore struct {
	Store     string
	Partition int32
	Remaining int64 // offsets of its changelog
}

// State is what state takes.
type State struct {
	Memory map[string]int64 // bytes by store: changes and cache
	Behind int64            // bytes of committed changes that the engine does not have
	Disk   int64            // bytes; -1 where the engine does not say
}

// gauges are the instruments that a snapshot is read into.
type gauges struct {
	ready, paused, tasks, stalled           metric.Int64ObservableGauge
	lag, restoring, memory, behind, disk    metric.Int64ObservableGauge
	lagTime                                 metric.Float64ObservableGauge
	rebalances, processed, commits, dropped metric.Int64ObservableCounter
	restoredRecords, restoredBytes          metric.Int64ObservableCounter
	time                                    metric.Float64ObservableCounter
}

// Observe reads snapshots whenever metrics are collected, until stop is called.
func (m *Metrics) Observe(read func() Snapshot) (stop func() error, err error) {
	g, all, err := m.gauges()
	if err != nil {
		return nil, err
	}
	reg, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		g.observe(o, read())
		return nil
	}, all...)
	if err != nil {
		return nil, err
	}
	return reg.Unregister, nil
}

func (m *Metrics) gauges() (g gauges, all []metric.Observable, err error) {
	var errs []error
	gauge := func(to *metric.Int64ObservableGauge, name, unit, help string) {
		i, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
		*to, all, errs = i, append(all, i), append(errs, err)
	}
	counter := func(to *metric.Int64ObservableCounter, name, unit, help string) {
		i, err := m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
		*to, all, errs = i, append(all, i), append(errs, err)
	}
	gauge(&g.ready, "leat.ready", "", "Whether the process has its tasks and none is restoring.")
	gauge(&g.paused, "leat.paused", "", "Whether the whole process is paused.")
	gauge(&g.tasks, "leat.tasks", "", "Tasks of this process by state.")
	gauge(&g.stalled, "leat.tasks.stalled", "", "Places at which code has not returned for longer than the stall time-out.")
	gauge(&g.lag, "leat.lag.records", "", "Records of a partition that are not committed as processed.")
	gauge(&g.restoring, "leat.restore.remaining", "", "Changelog offsets that a store partition is behind.")
	gauge(&g.memory, "leat.state.memory", "By", "Memory that changes and caches of a store take.")
	gauge(&g.behind, "leat.state.unflushed", "By", "Committed changes that the engine does not have yet.")
	gauge(&g.disk, "leat.state.disk", "By", "What the engine takes on disk.")
	counter(&g.rebalances, "leat.rebalances", "", "Generations of the group that the process has been part of.")
	counter(&g.processed, "leat.records.processed", "", "Records processed since the start.")
	counter(&g.commits, "leat.commits", "", "Commits since the start.")
	counter(&g.dropped, "leat.records.dropped", "", "Records without effect, by reason; dead letters among them.")
	counter(&g.restoredRecords, "leat.restore.records", "", "Changelog records restored since the start.")
	counter(&g.restoredBytes, "leat.restore.bytes", "By", "Keys and values of changelog records restored since the start.")
	age, err := m.meter.Float64ObservableGauge("leat.lag.time", metric.WithUnit("s"), metric.WithDescription("Age of the last record processed, if the partition has more; else 0."))
	g.lagTime, all, errs = age, append(all, age), append(errs, err)
	spent, err := m.meter.Float64ObservableCounter("leat.worker.time", metric.WithUnit("s"), metric.WithDescription("What workers spend their time with: busy processing, blocked by brokers, or idle."))
	g.time, all, errs = spent, append(all, spent), append(errs, err)
	return g, all, errors.Join(errs...)
}

func (g *gauges) observe(o metric.Observer, s Snapshot) {
	o.ObserveInt64(g.ready, number(s.Ready))
	o.ObserveInt64(g.paused, number(s.Paused))
	o.ObserveInt64(g.stalled, int64(s.Stalled))
	o.ObserveInt64(g.rebalances, s.Rebalances)
	o.ObserveInt64(g.processed, s.Processed)
	o.ObserveInt64(g.commits, s.Commits)
	o.ObserveInt64(g.restoredRecords, s.Restored.Records)
	o.ObserveInt64(g.restoredBytes, s.Restored.Bytes)
	o.ObserveInt64(g.behind, s.State.Behind)
	for state, n := range s.Tasks {
		o.ObserveInt64(g.tasks, int64(n), label("state", state))
	}
	for why, n := range s.Dropped {
		o.ObserveInt64(g.dropped, n, label("reason", why))
	}
	for store, n := range s.State.Memory {
		o.ObserveInt64(g.memory, n, label("store", store))
	}
	if s.State.Disk >= 0 {
		o.ObserveInt64(g.disk, s.State.Disk)
	}
	for i, w := range s.Workers {
		for share, spent := range map[string]time.Duration{"busy": w.Busy, "blocked": w.Blocked, "idle": w.Idle} {
			o.ObserveFloat64(g.time, spent.Seconds(), metric.WithAttributes(attribute.String("worker", strconv.Itoa(i)), attribute.String("share", share)))
		}
	}
	for _, l := range s.Lags {
		at := metric.WithAttributes(attribute.String("topic", l.Topic), attribute.Int("partition", int(l.Partition)))
		o.ObserveInt64(g.lag, l.Records, at)
		o.ObserveFloat64(g.lagTime, l.Time.Seconds(), at)
	}
	for _, r := range s.Restores {
		o.ObserveInt64(g.restoring, r.Remaining, metric.WithAttributes(attribute.String("store", r.Store), attribute.Int("partition", int(r.Partition))))
	}
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
