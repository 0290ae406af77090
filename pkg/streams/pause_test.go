package streams_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/leatstream/leat/internal/embedded"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
)

// What is paused stays paused when a process starts over by itself, here because its local state is corrupt.
func TestPauseOutlivesRebuild(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	broker, err := embedded.Start(embedded.Options{Topics: map[string]int32{"words": 1, "counts": 1}, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	opened, again := 0, make(chan struct{})
	app, err := streams.New(counting(t), streams.Config{
		Application: "counting", Brokers: broker.Addrs(), Logger: log, Workers: 1,
		State: streams.State{Dir: t.TempDir(), Engine: func(dir string) (store.Engine, error) {
			e, err := pebble.Open(dir, pebble.Options{Logger: log})
			if opened++; opened == 1 {
				return corrupt{e}, err
			}
			close(again)
			return e, err
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	select {
	case <-again:
	case err := <-ended:
		t.Fatalf("it ended: %v", err)
	}
	if !app.Status().Paused {
		t.Error("it is not paused any more")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// corrupt is an engine that cannot read.
type corrupt struct{ store.Engine }

func (corrupt) Position(engine.Namespace) (p engine.Position, ok bool, err error) {
	return p, false, fmt.Errorf("checksum mismatch: %w", engine.ErrCorrupt)
}
