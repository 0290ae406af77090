package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/leatstream/leat/pkg/streams"
)

// A monitor answers over HTTP how the service is.
type monitor struct {
	server http.Server
	serve  sync.WaitGroup
	addr   net.Addr
}

// listen starts a monitor. It has to be closed.
func listen(addr string, status func() streams.Status, log *slog.Logger) (*monitor, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w: choose another address, or none to serve no HTTP", err)
	}
	m := &monitor{addr: l.Addr()}
	m.server = http.Server{
		Handler:           handler(status),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	m.serve.Go(func() {
		if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("HTTP is not served any more", "error", err)
		}
	})
	return m, nil
}

// close waits a moment for requests in progress.
func (m *monitor) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		_ = m.server.Close() // it has been asked nicely
	}
	m.serve.Wait()
}

func handler(status func() streams.Status) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "healthy") // a service that cannot go on has ended
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s := status(); !s.Ready {
			http.Error(w, unready(s), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), statusCollector(status))
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	return mux
}

// unready says what there is to wait for.
func unready(s streams.Status) string {
	var waiting []string
	for _, t := range s.Tasks {
		if t.State != "running" {
			waiting = append(waiting, t.ID+" is "+t.State)
		}
	}
	if len(waiting) == 0 {
		return "no tasks yet"
	}
	return strings.Join(waiting, ", ")
}
