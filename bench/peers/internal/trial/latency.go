package trial

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Load is a steady stream of records, each with the time of its making in its value.
type Load struct {
	PerSecond int
	For       time.Duration // a quarter of it warms up, and is not measured
	Keys      int
	Settled   bool // wait until the group has committed where each partition of the input begins, and write to those that are not idle
}

// Latency measures from the making of a record until a consumer of committed records has its copy. The first
// output is waited for before.
func (t *Trial) Latency(ctx context.Context, l Load) (Run, error) {
	out, err := t.consumer()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := t.start(); err != nil {
		return nil, err
	}
	opts := []kgo.Opt{kgo.SeedBrokers(t.Broker.Address), kgo.DefaultProduceTopic(t.In.Topic()), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression())}
	if l.Settled {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := t.settled(ctx); err != nil {
			return nil, err
		}
	}
	in, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if err := in.ProduceSync(ctx, l.record(time.Now(), t.In.Partitions)).FirstErr(); err != nil {
		return nil, err
	}
	if _, err := t.receive(ctx, out); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	u, err := t.begin()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	n := int(l.For.Seconds() * float64(l.PerSecond))
	done := make(chan struct{})
	go func() { // ends after n records, or with ctx, and is waited for
		defer close(done)
		l.send(ctx, in, n, t.In.Partitions)
	}()
	var took []time.Duration
	for len(took) < n {
		times, err := t.receive(ctx, out)
		if err != nil {
			cancel()
			<-done
			return nil, fmt.Errorf("after %d of %d records: %w", len(took), n, err)
		}
		took = append(took, times...)
	}
	<-done
	run, used, err := t.end(u, time.Since(began))
	if err != nil {
		return nil, err
	}
	took = took[len(took)/4:]
	slices.Sort(took)
	run[P50], run[P99] = milliseconds(took[len(took)/2]), milliseconds(took[len(took)*99/100])
	run[CPU], run[Broker] = float64(used.own.Microseconds())/float64(n), float64(used.broker.Microseconds())/float64(n)
	return run, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// record makes a record, for one of the first partitions where the partitioner asks.
func (l Load) record(now time.Time, partitions int32) *kgo.Record {
	return &kgo.Record{
		Key:       fmt.Appendf(nil, "k%08d", rand.IntN(l.Keys)),
		Value:     binary.BigEndian.AppendUint64(make([]byte, 0, 100), uint64(now.UnixNano()))[:100],
		Partition: rand.Int32N(partitions),
	}
}

// settled waits until every partition of the input has a committed offset.
func (t *Trial) settled(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < patience; {
		offsets, err := t.Broker.Admin.FetchOffsets(ctx, t.Application)
		if err == nil && len(offsets[t.In.Topic()]) == int(t.In.Partitions+t.In.Idle) {
			return nil
		}
		select {
		case <-t.Process.Ended:
			return fmt.Errorf("it has ended:\n%s", t.Process.Output())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(look):
		}
	}
	return fmt.Errorf("not all partitions have a committed offset after %v:\n%s", patience, t.Process.Output())
}

// send sends n records at the load's pace. When it is late it catches up.
func (l Load) send(ctx context.Context, to *kgo.Client, n int, partitions int32) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for sent := 0; sent < n; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		due := min(n, int(time.Since(began).Seconds()*float64(l.PerSecond)))
		for ; sent < due; sent++ {
			to.Produce(ctx, l.record(time.Now(), partitions), nil)
		}
	}
}

// consumer reads what is written to the output from now on, and is committed.
func (t *Trial) consumer() (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(t.Broker.Address), kgo.ConsumeTopics(t.Out), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond))
}

// receive waits for records, and returns how long each has taken.
func (t *Trial) receive(ctx context.Context, from *kgo.Client) (took []time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing was written for %v", patience))
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // ends when this function does
		select {
		case <-t.Process.Ended:
			cancel()
		case <-stop:
		}
	}()
	fetches := from.PollFetches(ctx)
	now := time.Now().UnixNano()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w:\n%s", context.Cause(ctx), t.Process.Output())
	}
	fetches.EachRecord(func(r *kgo.Record) {
		at := r.Timestamp.UnixNano() // of what is not a copy, in ms
		if len(r.Value) == 100 {
			at = int64(binary.BigEndian.Uint64(r.Value))
		}
		took = append(took, time.Duration(now-at))
	})
	return took, nil
}

// FirstOutput measures from the start of the process until a consumer of committed records has the first of its results.
func (t *Trial) FirstOutput(ctx context.Context) (Run, error) {
	out, err := t.consumer()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := out.Ping(ctx); err != nil {
		return nil, err
	}
	if err := t.start(); err != nil {
		return nil, err
	}
	u, err := t.begin()
	if err != nil {
		return nil, err
	}
	for {
		got, err := t.receive(ctx, out)
		if err != nil {
			return nil, err
		}
		if len(got) > 0 {
			break
		}
	}
	took := time.Since(t.Process.Started)
	run, _, err := t.end(u, took)
	if err != nil {
		return nil, err
	}
	run[First] = milliseconds(took)
	return run, nil
}

// Idle measures a process that has done its work and waits for more.
func (t *Trial) Idle(ctx context.Context, rest, during time.Duration) (Run, error) {
	if err := t.start(); err != nil {
		return nil, err
	}
	if _, err := t.progress(ctx, int64(t.In.Records)); err != nil {
		return nil, err
	}
	if err := pause(ctx, rest); err != nil {
		return nil, err
	}
	u, err := t.begin()
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, during); err != nil {
		return nil, err
	}
	run, used, err := t.end(u, during)
	if err != nil {
		return nil, err
	}
	now, _, err := t.Process.Memory()
	run[Memory], run[IdleCPU] = float64(now)/1e6, milliseconds(used.own)/during.Seconds()
	return run, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
