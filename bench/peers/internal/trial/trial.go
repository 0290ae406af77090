// Package trial measures one run of one program, from outside: by the offsets that its group commits, by timestamps in
// what it writes, and by what the system says of the process.
package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/bench/peers/internal/broker"
	"github.com/leatstream/leat/bench/peers/internal/child"
)

// A Metric is something that is measured.
type Metric string

const (
	Rate    Metric = "records/s"
	CPU     Metric = "CPU us/record"
	Broker  Metric = "broker's CPU us/record"
	Peak    Metric = "peak MB"
	P50     Metric = "p50 ms"
	P99     Metric = "p99 ms"
	First   Metric = "first output ms"
	Memory  Metric = "MB"
	IdleCPU Metric = "CPU ms/s"
	Reads   Metric = "engine reads/s"
	Others  Metric = "others' share of the CPUs, %" // how noisy the machine was: CPU time of neither the program nor the broker
)

// A Run is what was measured.
type Run map[Metric]float64

// A Trial is a program at work on an input. Its measurements start the program; who calls one ends Process afterwards,
// if it is not nil.
type Trial struct {
	Broker      *broker.Broker
	Start       func() (*child.Process, error)
	Process     *child.Process
	Application string // its group
	In          broker.Input
	Sources     []string // topics with Records in all, in the place of In
	Records     int
	Repartition string // count what of this internal topic has been processed, not of the input
	Out         string
	CPUs        int
}

// patience is how long a program may commit nothing new before it is given up.
const patience = 2 * time.Minute

// look is how often the committed offsets are asked for.
const look = 20 * time.Millisecond

// warm is the part of an input after which a run is measured.
const warm = 0.2

// Rate measures from the moment when a fifth of the input has been processed until all has.
func (t *Trial) Rate(ctx context.Context) (Run, error) {
	return t.rate(ctx, int64(t.In.Records), func(ctx context.Context, total int64) (time.Time, usage, error) {
		if _, err := t.progress(ctx, total); err != nil {
			return time.Time{}, usage{}, err
		}
		now := time.Now()
		u, err := t.begin()
		return now, u, err
	})
}

// Whole is Rate of a program that writes to itself: until it commits nothing more, of any topic.
func (t *Trial) Whole(ctx context.Context) (Run, error) {
	return t.rate(ctx, int64(t.Records), func(ctx context.Context, total int64) (last time.Time, u usage, err error) {
		if _, err := t.progress(ctx, total); err != nil {
			return last, u, err
		}
		sum := int64(-1)
		for last = time.Now(); time.Since(last) < calm; {
			offsets, err := t.Broker.Admin.FetchOffsets(ctx, t.Application)
			if err != nil {
				return last, u, err
			}
			now := int64(0)
			offsets.Each(func(o kadm.OffsetResponse) { now += o.At })
			if now != sum {
				sum, last = now, time.Now()
				if u, err = t.begin(); err != nil {
					return last, u, err
				}
			}
			if err := pause(ctx, look); err != nil {
				return last, u, err
			}
		}
		return last, u, nil
	})
}

// calm is for how long a program has to commit nothing new to be taken to have finished.
const calm = 2 * time.Second

// rate measures until done returns, which says when that was, and what had been used by then.
func (t *Trial) rate(ctx context.Context, total int64, done func(ctx context.Context, total int64) (time.Time, usage, error)) (Run, error) {
	if err := t.start(); err != nil {
		return nil, err
	}
	from, err := t.progress(ctx, int64(warm*float64(total)))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	u, err := t.begin()
	if err != nil {
		return nil, err
	}
	end, now, err := done(ctx, total)
	if err != nil {
		return nil, err
	}
	took := end.Sub(began)
	run, used, err := t.used(u, now, took)
	if err != nil {
		return nil, err
	}
	n := float64(total - from)
	run[Rate] = n / took.Seconds()
	run[CPU], run[Broker] = float64(used.own.Microseconds())/n, float64(used.broker.Microseconds())/n
	return run, nil
}

func (t *Trial) start() (err error) {
	t.Process, err = t.Start()
	return err
}

// progress waits until n records have been processed, and returns how many have.
func (t *Trial) progress(ctx context.Context, n int64) (int64, error) {
	last, since := int64(-1), time.Now()
	for {
		c, err := t.committed(ctx)
		if err == nil && c >= n {
			return c, nil
		}
		if c > last {
			last, since = c, time.Now()
		}
		if time.Since(since) > patience {
			return 0, fmt.Errorf("nothing was committed for %v, at %d of %d (%v):\n%s", patience, last, n, err, t.Process.Output())
		}
		select {
		case <-t.Process.Ended:
			return 0, fmt.Errorf("it has ended, at %d of %d:\n%s", last, n, t.Process.Output())
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(look):
		}
	}
}

// committed is how many records the group has processed.
func (t *Trial) committed(ctx context.Context) (n int64, err error) {
	offsets, err := t.Broker.Admin.FetchOffsets(ctx, t.Application)
	if err != nil {
		return 0, err
	}
	for topic, partitions := range offsets {
		counts := topic == t.In.Topic() || slices.Contains(t.Sources, topic)
		if t.Repartition != "" {
			counts = strings.HasSuffix(topic, t.Repartition)
		}
		for _, p := range partitions {
			if counts && p.At > 0 {
				n += p.At
			}
		}
	}
	return n, nil
}

// usage is processor time.
type usage struct{ own, broker, machine time.Duration }

func (t *Trial) begin() (u usage, err error) {
	var errs [3]error
	u.own, errs[0] = t.Process.CPU()
	u.broker, errs[1] = t.Broker.Process.CPU()
	u.machine, errs[2] = child.Machine()
	return u, errors.Join(errs[:]...)
}

// end is what has been used since u, and a run that says the rest.
func (t *Trial) end(u usage, took time.Duration) (run Run, used usage, err error) {
	now, err := t.begin()
	if err != nil {
		return nil, used, err
	}
	return t.used(u, now, took)
}

// used is end where now is what has been used by then.
func (t *Trial) used(u, now usage, took time.Duration) (run Run, used usage, err error) {
	_, peak, err := t.Process.Memory()
	if err != nil {
		return nil, used, err
	}
	used = usage{now.own - u.own, now.broker - u.broker, now.machine - u.machine}
	others := used.machine - used.own - used.broker
	run = Run{
		Peak:   float64(peak) / 1e6,
		Others: 100 * max(0, others.Seconds()) / took.Seconds() / float64(t.CPUs),
	}
	return run, used, nil
}

// String prints what was measured, in no more digits than count.
func (r Run) String() string {
	var parts []string
	for _, m := range slices.Sorted(maps.Keys(r)) {
		parts = append(parts, fmt.Sprintf("%.5g %s", r[m], m))
	}
	return strings.Join(parts, ", ")
}
