package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/internal/failpoint"
)

// back is the longest that a killed service may take, from its restart to its first commit.
const back = 5 * time.Second

// A victim is a service that is killed over and over. One goroutine uses it.
type victim struct {
	svc *program.Service
	rnd *rand.Rand

	p     *program.Process
	kills int
	took  []time.Duration // from each restart to the first commit
}

// suffer starts the service, kills it once at a random moment and once at each of the points, each time
// restarting it, and leaves it running.
func (v *victim) suffer(ctx context.Context, points []failpoint.Point) (err error) {
	if v.p, err = v.svc.Start(); err != nil {
		return err
	}
	if _, err := v.p.AtWork(ctx); err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	for _, at := range points {
		if err := v.atAnyTime(ctx); err != nil {
			return fmt.Errorf("kill %d, at a random moment: %w", v.kills, err)
		}
		if err := v.atPoint(ctx, at); err != nil {
			return fmt.Errorf("kill %d, at %s: %w", v.kills, at, err)
		}
		if err := v.restart(ctx); err != nil {
			return fmt.Errorf("after kill %d, at %s: %w", v.kills, at, err)
		}
	}
	return nil
}

// atAnyTime kills the running service at a random moment: soon after a commit, or while it starts.
func (v *victim) atAnyTime(ctx context.Context) error {
	if v.rnd.IntN(3) == 0 {
		v.kill()
		var err error
		if v.p, err = v.svc.Start(); err != nil {
			return err
		}
	}
	select {
	case <-time.After(time.Duration(v.rnd.Int64N(int64(time.Second)))):
	case <-v.p.Ended():
		return v.p.Killed(ctx)
	}
	v.kill()
	return nil
}

func (v *victim) kill() {
	v.p.Kill()
	v.kills++
}

// atPoint starts the service so that it kills itself at a point, soon after that is first reached.
func (v *victim) atPoint(ctx context.Context, at failpoint.Point) (err error) {
	if v.p, err = v.svc.Start(fmt.Sprintf("LEAT_FAILPOINT=%s=%g", at, 0.3)); err != nil {
		return err
	}
	if err := v.p.Killed(ctx); err != nil {
		return err
	}
	v.kills++
	return nil
}

// restart starts the service, which has to be at work again soon.
func (v *victim) restart(ctx context.Context) (err error) {
	if v.p, err = v.svc.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, v.p.Started.Add(back), fmt.Errorf("%v after its restart", back))
	defer cancel()
	at, err := v.p.AtWork(ctx)
	v.took = append(v.took, at.Sub(v.p.Started))
	return err
}
