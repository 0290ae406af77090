package service

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leatstream/leat/pkg/streams"
)

var (
	readyDesc   = prometheus.NewDesc("leat_ready", "Whether the process has its tasks and none is restoring.", nil, nil)
	tasksDesc   = prometheus.NewDesc("leat_tasks", "Tasks of this process by state.", []string{"state"}, nil)
	recordsDesc = prometheus.NewDesc("leat_records_processed_total", "Records processed since the start.", nil, nil)
	commitsDesc = prometheus.NewDesc("leat_commits_total", "Commits since the start.", nil, nil)
)

// statusCollector makes metrics of a status when they are asked for.
type statusCollector func() streams.Status

// Describe implements prometheus.Collector.
func (c statusCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{readyDesc, tasksDesc, recordsDesc, commitsDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c statusCollector) Collect(out chan<- prometheus.Metric) {
	s := c()
	tasks := map[string]float64{"restoring": 0, "running": 0}
	for _, t := range s.Tasks {
		tasks[t.State]++
	}
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	send(readyDesc, prometheus.GaugeValue, number(s.Ready))
	for _, state := range slices.Sorted(maps.Keys(tasks)) {
		send(tasksDesc, prometheus.GaugeValue, tasks[state], state)
	}
	send(recordsDesc, prometheus.CounterValue, float64(s.Records))
	send(commitsDesc, prometheus.CounterValue, float64(s.Commits))
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
