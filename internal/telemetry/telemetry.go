// Package telemetry is what a process measures of itself, as OpenTelemetry metrics.
// It knows the instruments, their names and labels, and nothing of what is measured.
//
// Nothing is recorded per record: workers record per batch and per commit, and what
// can be read from outside is asked for when metrics are collected.
package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// Scope is the name of the instrumentation scope.
const Scope = "github.com/leatstream/leat"

// seconds are the bounds of the histograms: from a millisecond to minutes.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// Metrics are the instruments of a process.
type Metrics struct {
	meter metric.Meter

	batch    metric.Float64Histogram
	commit   metric.Float64Histogram
	endToEnd metric.Float64Histogram

	read    metric.Int64Counter
	written metric.Int64Counter
	retried metric.Int64Counter
	failed  metric.Int64Counter
	moved   metric.Int64Counter
}

// New makes the instruments. A nil provider measures nothing.
func New(p metric.MeterProvider) (*Metrics, error) {
	if p == nil {
		p = noop.NewMeterProvider()
	}
	m := &Metrics{meter: p.Meter(Scope)}
	var errs []error
	histogram := func(name, help string) metric.Float64Histogram {
		h, err := m.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(help), metric.WithExplicitBucketBoundaries(seconds...))
		errs = append(errs, err)
		return h
	}
	counter := func(name, help string) metric.Int64Counter {
		c, err := m.meter.Int64Counter(name, metric.WithDescription(help))
		errs = append(errs, err)
		return c
	}
	m.batch = histogram("leat.batch.duration", "How long a task took for the records that it may process in one turn.")
	m.commit = histogram("leat.commit.duration", "How long a commit took, from the last record to the brokers' agreement.")
	m.endToEnd = histogram("leat.end_to_end.delay", "From the timestamp of a record to the commit of what it caused; a sample of the records.")
	m.read = counter("leat.records.read", "Records given to tasks, by source topic.")
	m.written = counter("leat.records.written", "Records written in commits, by topic, changelogs among them.")
	m.retried = counter("leat.records.retried", "Times that a failed record was put back, to be tried again.")
	m.failed = counter("leat.commits.failed", "Commits that came to nothing, by the step that failed.")
	m.moved = counter("leat.tasks.moved", "Tasks that the group assigned, revoked, or took because the process was away.")
	return m, errors.Join(errs...)
}

// Moved counts tasks that were assigned, revoked or lost.
func (m *Metrics) Moved(how string, tasks int) {
	m.moved.Add(context.Background(), int64(tasks), label("how", how))
}

func label(key, value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(key, value)))
}

// Recorder returns what one worker records with.
func (m *Metrics) Recorder() *Recorder {
	return &Recorder{m: m, labels: map[string]metric.MeasurementOption{}}
}

// A Recorder belongs to one goroutine. A nil one records nothing.
type Recorder struct {
	m      *Metrics
	labels map[string]metric.MeasurementOption // made once each
}

func (r *Recorder) label(key, value string) metric.MeasurementOption {
	l, ok := r.labels[key+"="+value]
	if !ok {
		l = label(key, value)
		r.labels[key+"="+value] = l
	}
	return l
}

// Batch records a turn of a task.
func (r *Recorder) Batch(subtopology string, took time.Duration) {
	if r != nil {
		r.m.batch.Record(context.Background(), took.Seconds(), r.label("subtopology", subtopology))
	}
}

// Delays records how old records were when what they caused was committed.
func (r *Recorder) Delays(subtopology string, now time.Time, stamps []int64) {
	if r == nil {
		return
	}
	for _, ms := range stamps {
		r.m.endToEnd.Record(context.Background(), max(0, now.Sub(time.UnixMilli(ms)).Seconds()), r.label("subtopology", subtopology))
	}
}

// Commit records a commit.
func (r *Recorder) Commit(took time.Duration) {
	if r != nil {
		r.m.commit.Record(context.Background(), took.Seconds())
	}
}

// CommitFailed counts a commit that came to nothing.
func (r *Recorder) CommitFailed(step string) {
	if r != nil {
		r.m.failed.Add(context.Background(), 1, r.label("step", step))
	}
}

// Read counts records given to a task.
func (r *Recorder) Read(topic string, n int) {
	if r != nil {
		r.m.read.Add(context.Background(), int64(n), r.label("topic", topic))
	}
}

// Written counts records of a commit.
func (r *Recorder) Written(topic string, n int64) {
	if r != nil {
		r.m.written.Add(context.Background(), n, r.label("topic", topic))
	}
}

// Retried counts attempts that failed and are to be repeated.
func (r *Recorder) Retried(n int64) {
	if r != nil && n > 0 {
		r.m.retried.Add(context.Background(), n)
	}
}
