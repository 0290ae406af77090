package worker

import (
	"context"
	"time"
)

// Steps are what Run does, one by one, for who runs a worker without a goroutine and
// without channels: the simulator. Add and Release of the worker are not to be used
// then. An error of any of them is the end of the worker.
type Steps struct{ *Worker }

// Open makes the producer. It comes first.
func (s Steps) Open(ctx context.Context) error { return s.open(ctx) }

// Turn takes in what waits, processes it, and commits if it is time. idle is how long
// nothing more will have to be done if nothing comes in.
func (s Steps) Turn(ctx context.Context) (idle time.Duration, err error) {
	if err := s.takeAll(ctx); err != nil {
		return 0, err
	}
	if err := s.maintain(ctx); err != nil {
		return 0, err
	}
	if err := s.turn(ctx); err != nil {
		return 0, err
	}
	if !s.dry || s.due() {
		return 0, nil
	}
	return s.idle(), nil
}

// Add is Worker.Add.
func (s Steps) Add(ctx context.Context, runs ...*Run) error {
	_, err := s.obey(ctx, command{add: runs, done: make(chan error, 1)})
	return err
}

// Release is Worker.Release.
func (s Steps) Release(ctx context.Context, runs ...*Run) error {
	_, err := s.obey(ctx, command{release: runs, done: make(chan error, 1)})
	return err
}

// Stop is Worker.Stop.
func (s Steps) Stop(ctx context.Context) error {
	_, err := s.obey(ctx, command{stop: true, done: make(chan error, 1)})
	return err
}

// Close closes the producer.
func (s Steps) Close() { s.p.close() }
