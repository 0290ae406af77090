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

	"github.com/leatstream/leat/pkg/streams"
)

// A monitor answers over HTTP how the service is.
type monitor struct {
	server http.Server
	serve  sync.WaitGroup
	addr   net.Addr
}

// listen starts a monitor. It has to be closed.
func listen(addr string, h http.Handler, log *slog.Logger) (*monitor, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w: choose another address, or \"\" to serve no HTTP", err)
	}
	m := &monitor{addr: l.Addr()}
	m.server = http.Server{
		Handler:           h,
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

func handler(status func() streams.Status, metrics http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if s := status(); len(s.Stalled) > 0 {
			http.Error(w, unhealthy(s), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "healthy") // a service that cannot go on has ended
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s := status(); !s.Ready {
			http.Error(w, unready(s), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", metrics)
	return mux
}

// unhealthy says what does not get on.
func unhealthy(s streams.Status) string {
	var lines []string
	for _, stall := range s.Stalled {
		lines = append(lines, stall.String())
	}
	return strings.Join(lines, "\n")
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
