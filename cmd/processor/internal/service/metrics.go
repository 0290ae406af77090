package service

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
)

// meters are where the process's metrics go, and where they are served from.
type meters struct {
	provider *metric.MeterProvider
	handler  http.Handler
}

// newMeters makes a provider whose metrics are served in Prometheus' format, those of
// the Go runtime and of the operating system's process among them.
func newMeters() (*meters, error) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(reg), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, err
	}
	return &meters{
		// The SDK's limit is 2000 sets of labels to an instrument, and lags have one for each
		// partition. The rest would be added up under no name. Labels are partitions, stores,
		// workers and brokers, never what records hold: there are no more of them than there are.
		provider: metric.NewMeterProvider(metric.WithReader(exporter), metric.WithCardinalityLimit(0)),
		handler:  promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
	}, nil
}

// clientHooks measure a Kafka client.
func (m *meters) clientHooks() kgo.Opt {
	return kgo.WithHooks(kotel.NewMeter(kotel.MeterProvider(m.provider)))
}
