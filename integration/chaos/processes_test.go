package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/internal/failpoint"
)

func (tr *trial) start(r *replica) (err error) {
	r.p, err = r.Start()
	r.up = err == nil
	return err
}

// stop stops a replica cleanly.
func (tr *trial) stop(r *replica) error {
	r.up = false
	ctx, cancel := context.WithTimeoutCause(tr.ctx, patience, errPatience)
	defer cancel()
	return r.p.Ask(ctx)
}

// alive finds replicas that have ended by themselves.
func (tr *trial) alive() error {
	for _, r := range tr.replicas {
		select {
		case <-r.p.Ended():
			if r.up {
				_, stderr, _ := r.p.Exit(tr.ctx)
				return fmt.Errorf("%s has ended by itself: %v %s", r.Name, r.p.Lines("ended"), stderr)
			}
		default:
		}
	}
	return nil
}

// anyOf is one of those that something may happen to.
func (tr *trial) anyOf(rnd *rand.Rand) *replica {
	spared := 0
	if *soak {
		spared = 1
	}
	return tr.replicas[spared+rnd.IntN(len(tr.replicas)-spared)]
}

// kill kills a replica, starts it again so that it kills itself at a point of a commit, at every other one, and starts it
// again.
func (tr *trial) kill(rnd *rand.Rand) (what string, err error) {
	r, away := tr.anyOf(rnd), between(rnd, 0, 3*time.Second)
	what = fmt.Sprintf("%s, away for %v", r.Name, away.Round(time.Millisecond))
	if err := tr.alive(); err != nil {
		return what, err
	}
	r.p.Kill()
	time.Sleep(away)
	points := tr.points()
	rnd.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	for _, at := range points {
		what += ", then at " + string(at)
		if err := tr.killAt(r, at); err != nil {
			return what, err
		}
	}
	return what, tr.start(r)
}

// points are those that a commit of this guarantee comes to.
func (tr *trial) points() []failpoint.Point {
	if tr.result.guarantee == atLeastOnce {
		return []failpoint.Point{failpoint.Flushed, failpoint.EngineSet}
	}
	return slices.Clone(failpoint.Points)
}

// killAt starts a replica, which kills itself soon after it has reached a point.
func (tr *trial) killAt(r *replica, at failpoint.Point) (err error) {
	if r.p, err = r.Start(fmt.Sprintf("LEAT_FAILPOINT=%s=%g", at, 0.3)); err != nil {
		return err
	}
	r.up = false
	ctx, cancel := context.WithTimeoutCause(tr.ctx, patience, errPatience)
	defer cancel()
	return r.p.Killed(ctx)
}

// restart stops a replica cleanly, and starts it again.
func (tr *trial) restart(rnd *rand.Rand) (what string, err error) {
	r, away := tr.anyOf(rnd), between(rnd, 0, 3*time.Second)
	if err := tr.alive(); err != nil {
		return r.Name, err
	}
	begun := time.Now()
	if err := tr.stop(r); err != nil {
		return r.Name, err
	}
	what = fmt.Sprintf("%s, stopped in %v, away for %v", r.Name, time.Since(begun).Round(time.Millisecond), away.Round(time.Millisecond))
	time.Sleep(away)
	return what, tr.start(r)
}

// scale leaves one replica, starts the others, stops two of them, and starts them again.
func (tr *trial) scale(rnd *rand.Rand) (what string, err error) {
	order := rnd.Perm(len(tr.replicas))
	if *soak {
		slices.Sort(order) // the first is spared
	}
	var names []string
	for _, i := range order {
		names = append(names, tr.replicas[i].Name)
	}
	what = strings.Join(names, " ")
	steps := []func([]int) error{tr.stopAll, tr.startAll, tr.stopAll, tr.startAll}
	for n, step := range steps {
		if err := tr.alive(); err != nil {
			return what, err
		}
		if err := step(order[1+n/2:]); err != nil {
			return what, err
		}
		time.Sleep(between(rnd, time.Second, 3*time.Second))
	}
	return what, nil
}

func (tr *trial) stopAll(which []int) error {
	errs := make([]error, len(which))
	var stopping sync.WaitGroup
	for n, i := range which {
		stopping.Go(func() { errs[n] = tr.stop(tr.replicas[i]) })
	}
	stopping.Wait()
	for n, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: %w", tr.replicas[which[n]].Name, err)
		}
	}
	return nil
}

func (tr *trial) startAll(which []int) error {
	for _, i := range which {
		if err := tr.start(tr.replicas[i]); err != nil {
			return err
		}
	}
	return nil
}

// fullDisk fills the disk of the replica that has a small one until it gives up, and starts it again when there is room.
func (tr *trial) fullDisk() (what string, err error) {
	r := tr.replicas[len(tr.replicas)-1]
	if err := tr.alive(); err != nil {
		return r.Name, err
	}
	empty, err := tr.fill()
	if err != nil {
		return r.Name, err
	}
	r.up = false
	ctx, cancel := context.WithTimeoutCause(tr.ctx, patience, errPatience)
	defer cancel()
	code, _, err := r.p.Exit(ctx)
	if emptyErr := empty(); err == nil {
		err = emptyErr
	}
	if err != nil {
		return r.Name, err
	}
	why := "nothing"
	if lines := r.p.Lines("ended"); len(lines) > 0 {
		why = lines[0].Text("err")
	}
	if code == 0 || !strings.Contains(why, "no space left") {
		return r.Name, fmt.Errorf("it ended with %d and said: %s", code, why)
	}
	return r.Name + ", which said: " + why, tr.start(r)
}

// zombie stops a replica in its tracks until the group has given it up and its successors have committed, and then lets
// it go on. One that knows at once what it has lost tries to write nothing: then another try is made.
func (tr *trial) zombie(rnd *rand.Rand) (what string, err error) {
	for range 5 {
		r := tr.anyOf(rnd)
		said, tried, err := tr.sleepThrough(r)
		if what += r.Name + said; err != nil || tried {
			return what, err
		}
		what += ", then "
	}
	return what + "no more tries", nil
}

// sleepThrough lets one replica be a zombie, and reports whether it tried to write.
func (tr *trial) sleepThrough(r *replica) (what string, tried bool, err error) {
	held, err := tr.atWork(r)
	if err != nil {
		return "", false, err
	}
	if err := r.p.Pause(); err != nil {
		return "", false, err
	}
	if !hasTasks(r.p) { // lost a moment ago, maybe because of what befalls the brokers
		return " had nothing to lose", false, r.p.Unpause()
	}
	begun, err := tr.succeeded(r.Name, held)
	woken := time.Now()
	if wakeErr := r.p.Unpause(); err == nil {
		err = wakeErr
	}
	if err != nil {
		return "", false, err
	}
	what = fmt.Sprintf(": successors committed at %s, it woke at %s", stamp(begun), stamp(woken))
	line, err := tr.triedToWrite(r.p, woken)
	if err != nil || line == nil {
		return what + " and did not try to write", false, err
	}
	tr.result.mu.Lock()
	defer tr.result.mu.Unlock()
	tr.result.wrote++
	return fmt.Sprintf("%s, tried to write, and was told at %s: %s: %s", what, stamp(line.Time()), line.Text("step"), line.Text("err")), true, nil
}

// atWork waits until a replica commits in all partitions that it has, in a group at rest.
func (tr *trial) atWork(r *replica) (held kadm.OffsetsList, err error) {
	if err := tr.alive(); err != nil {
		return nil, err
	}
	if err := tr.settled(replicas); err != nil {
		return nil, err
	}
	if held, err = tr.heldBy(r.Name); err != nil {
		return nil, err
	}
	return held, tr.advanced(held)
}

// What a process logs when it is given tasks, and when it has lost all of them.
const (
	assigned = "assigned tasks"
	lost     = "tasks lost: the group has gone on without this process"
)

// hasTasks reports whether a process believes to have tasks.
func hasTasks(p *program.Process) bool {
	given, taken := p.Lines(assigned), p.Lines(lost)
	return len(given) > 0 && (len(taken) == 0 || given[len(given)-1].Time().After(taken[len(taken)-1].Time()))
}

func stamp(t time.Time) string { return t.Format("15:04:05.000") }

// refusal is how a broker's answer looks in a log, or that of the process's own lease.
var refusal = regexp.MustCompile(`\b[A-Z]+(_[A-Z]+)+: |^the group has gone on without this process`)

// triedToWrite finds, in the log of a process that has woken up, the refusal of what it wrote or wanted to commit: a
// broker's, or its own. Nil: there is none, because it knew better.
func (tr *trial) triedToWrite(p *program.Process, since time.Time) (tried program.Line, err error) {
	var noticed program.Line
	var ended error
	err = tr.await(func(context.Context) error {
		if ended = tr.alive(); ended != nil {
			return nil
		}
		for _, l := range p.Lines("transaction failed; its tasks will be restored") {
			if l.Time().After(since) && refusal.MatchString(l.Text("err")) {
				tried = l
				return nil
			}
		}
		for _, l := range p.Lines(lost) {
			if l.Time().After(since) {
				noticed = l
			}
		}
		if noticed != nil && time.Since(noticed.Time()) > settling {
			return nil
		}
		return errors.New("it neither tries to write nor notices that it has lost its tasks")
	})
	return tried, errors.Join(err, ended)
}

// settling is how long it may take a process that has lost its tasks to give up what it was about to write.
const settling = 5 * time.Second
