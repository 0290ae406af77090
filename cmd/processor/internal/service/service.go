// Package service makes a configuration into a running service: the topology, the
// runtime, the brokers' clients and what is served over HTTP.
package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/internal/embedded"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// Logger returns the logger that a configuration asks for.
func Logger(c config.Log, out io.Writer) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(c.Level)) != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, opts))
	}
	return slog.New(slog.NewTextHandler(out, opts))
}

// Run runs the configured topology, which is t, until ctx ends. That stops it
// cleanly. On screen, if it is a terminal, a bar shows how far restores are.
func Run(ctx context.Context, c *config.Config, t *topology.Topology, log *slog.Logger, screen io.Writer) error {
	log.Info("configuration", slog.Any("", c)) // no name: its keys stand by themselves
	limitMemory(c, log)
	if !c.Kafka.IsEmbedded() {
		return run(ctx, c, t, log, screen)
	}
	local, err := startEmbedded(c, log)
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, local.config, t, log, screen), local.close())
}

// run runs the topology on brokers that are there.
func run(ctx context.Context, c *config.Config, t *topology.Topology, log *slog.Logger, screen io.Writer) error {
	settings, err := Settings(c, log)
	if err != nil {
		return err
	}
	m, err := newMeters()
	if err != nil {
		return err
	}
	settings.MeterProvider, settings.OnRestore = m.provider, restoreBar(screen)
	settings.ClientOptions = append(settings.ClientOptions, m.clientHooks())
	app, err := streams.New(t, settings)
	if err != nil {
		return err
	}
	if c.HTTP.Listen != "" {
		served, err := listen(c.HTTP.Listen, serve(c.HTTP, app, m), log)
		if err != nil {
			return err
		}
		defer served.close()
		log.Info("HTTP is served", "address", served.addr.String())
	}
	log.Info("starting", "application", c.Application, "topology", c.Topology)
	if err := app.Run(ctx); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// serve is what is served over HTTP.
func serve(c config.HTTP, app *streams.App, m *meters) http.Handler {
	mux := handler(app.Status, m.handler)
	if c.Control {
		control(mux, app)
	}
	return mux
}

// embeddedPartitions is how many partitions the topics of an embedded broker have.
const embeddedPartitions = 4

// local is a broker inside the process, with the configuration to use it.
type local struct {
	broker *embedded.Broker
	config *config.Config
	dir    string
}

// startEmbedded starts a broker with the topology's topics. It starts empty, so
// state must, too: it is kept in a directory that goes with the broker.
func startEmbedded(c *config.Config, log *slog.Logger) (*local, error) {
	dir, err := os.MkdirTemp("", "leat-state-")
	if err != nil {
		return nil, err
	}
	topics := map[string]int32{}
	for _, name := range c.Topics {
		topics[name] = embeddedPartitions
	}
	if c.Processing.DeadLetterTopic != "" {
		topics[c.Processing.DeadLetterTopic] = embeddedPartitions
	}
	b, err := embedded.Start(embedded.Options{Topics: topics, OnDisk: true, Logger: log})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	with := *c
	with.Kafka.Brokers, with.State.Dir = b.Addrs(), dir
	log.Warn("the broker is inside the process: topics and state are gone when it stops", "brokers", b.Addrs())
	return &local{b, &with, dir}, nil
}

func (l *local) close() error {
	return errors.Join(l.broker.Close(), os.RemoveAll(l.dir))
}
