package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/payments"
	"github.com/leatstream/leat/cmd/processor/internal/service"
	"github.com/leatstream/leat/cmd/processor/internal/shop"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/pkg/serde/registry"
	"github.com/leatstream/leat/pkg/topology"
)

func newGenerate(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "generate --config FILE",
		Short: "Write made-up input for fraud (card payments, the cards' limits first) or orders-avro (orders, the customers first)",
	}
	rate := cmd.Flags().Float64("rate", usualRate, "records a second; 0 is as fast as possible, with --count as if they had come until now")
	count := cmd.Flags().Int64("count", 0, "records to write; 0 goes on until a signal")
	seed := cmd.Flags().Uint64("seed", 1, "equal seeds make equal records")
	cards := cmd.Flags().Int("cards", 0, "cards that there are; 20000 by default")
	customers := cmd.Flags().Int("customers", 0, "customers that there are; 1000 by default")
	s := addSettings(cmd, sys)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		l, err := s.load()
		switch {
		case err != nil:
			return err
		case *rate < 0 || *count < 0 || *cards < 0 || *customers < 0:
			return usageError{errors.New("--rate, --count, --cards and --customers cannot be less than 0")}
		}
		g := generator{out: sys, count: *count, pace: *rate > 0}
		speed := g.span(*rate, time.Now())
		switch l.Topology {
		case "fraud":
			made := payments.New(payments.Options{Seed: *seed, Cards: *cards, Rate: speed, Start: g.start})
			g.what, g.write = fmt.Sprintf("payments of %d cards", len(made.Cards())), func(ctx context.Context) (int64, error) { return g.payments(ctx, made, l.Topics) }
		case "orders-avro":
			made := shop.New(shop.Options{Seed: *seed, Customers: *customers, Rate: speed, Start: g.start})
			g.what, g.write = fmt.Sprintf("orders of %d customers", len(made.Customers())), func(ctx context.Context) (int64, error) { return g.orders(ctx, made, l) }
		default:
			return usageError{fmt.Errorf("topology: records are made for fraud and orders-avro, and this is %s", l.Topology)}
		}
		return g.run(cmd.Context(), l.Config)
	}
	return cmd
}

// A generator writes made-up records to their topics.
type generator struct {
	out    System
	what   string                                   // it writes
	write  func(ctx context.Context) (int64, error) // until all is written; says how many
	count  int64                                    // 0: without end
	pace   bool                                     // as time goes by, or all at once
	start  time.Time                                // of the first records
	client *kgo.Client
	fail   context.CancelCauseFunc
}

// usualRate is the rate at which records come that are made as fast as possible, by their times.
const usualRate = 100

// span decides when the records begin, and returns at which rate they come by their times. A
// time may not run ahead of the clock: brokers refuse what is more than an hour ahead. So
// what is made faster than time goes by ends now; in a day at most, since topics do not keep
// what is old. Where there is no end it has the clock's times.
func (g *generator) span(rate float64, now time.Time) float64 {
	g.start = now
	if rate > 0 {
		return rate
	}
	const most = 24 * time.Hour
	rate = max(usualRate, float64(g.count)/most.Seconds())
	g.start = now.Add(-time.Duration(float64(g.count) / rate * float64(time.Second)))
	return rate
}

// by is a time that was made up, or now if that is earlier.
func by(made time.Time) time.Time {
	if now := time.Now().Truncate(time.Millisecond); now.Before(made) {
		return now
	}
	return made
}

// run writes until all is written or ctx ends, which is as good.
func (g *generator) run(parent context.Context, c *config.Config) (err error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	g.fail = cancel
	if g.client, err = service.Connect(ctx, c.Kafka, kgo.UnknownTopicRetries(3), kgo.MaxBufferedBytes(32<<20)); err != nil {
		return err
	}
	defer g.client.Close()
	start := time.Now()
	n, err := g.write(ctx)
	if err == nil {
		err = g.client.Flush(context.WithoutCancel(ctx))
	}
	if cause := context.Cause(ctx); cause != nil && parent.Err() == nil {
		return cause
	}
	if err != nil && parent.Err() == nil {
		return err
	}
	fmt.Fprintf(g.out.Out, "%d %s in %v\n", n, g.what, time.Since(start).Round(time.Millisecond))
	return nil
}

// payments writes the cards' limits, then payments.
func (g *generator) payments(ctx context.Context, made *payments.Generator, topics map[string]string) (n int64, err error) {
	limits, paid := topologies.LimitTopic(topics["limits"]), topologies.PaymentTopic(topics["payments"])
	for _, card := range made.Cards() {
		if err := send(ctx, g, limits, topology.Record[string, topologies.Limit]{Key: card.Number, Value: card.Limit, Time: g.start}); err != nil {
			return 0, err
		}
	}
	if err := g.client.Flush(ctx); err != nil {
		return 0, err
	}
	for g.count == 0 || n < g.count {
		p := made.Next()
		if g.pace && !until(ctx, p.At) {
			return n, nil
		}
		if err := send(ctx, g, paid, topology.Record[string, topologies.Payment]{Key: p.Card, Value: p.Payment, Time: by(p.At)}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// orders writes the customers, then orders. It registers their schemas, as their writer.
func (g *generator) orders(ctx context.Context, made *shop.Generator, l loaded) (n int64, err error) {
	schemas, err := service.Schemas(l.Registry, service.Logger(l.Log, g.out.Err))
	if err != nil {
		return 0, err
	}
	schemas.Register = registry.Always
	customers, orders := topologies.CustomerTopic(schemas, l.Topics["customers"]), topologies.OrderTopic(schemas, l.Topics["orders"])
	for _, c := range made.Customers() {
		if err := send(ctx, g, customers, topology.Record[string, topologies.Customer]{Key: c.ID, Value: c.Customer, Time: g.start}); err != nil {
			return 0, err
		}
	}
	if err := g.client.Flush(ctx); err != nil {
		return 0, err
	}
	for g.count == 0 || n < g.count {
		o := made.Next()
		if g.pace && !until(ctx, o.Placed) {
			return n, nil
		}
		o.Placed = by(o.Placed)
		if err := send(ctx, g, orders, topology.Record[string, topologies.Order]{Key: o.ID, Value: o, Time: o.Placed}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// send writes one record. A record that cannot be written ends the generator.
func send[V any](ctx context.Context, g *generator, to topology.Topic[string, V], r topology.Record[string, V]) error {
	key, value, headers, err := to.Encode(r)
	if err != nil {
		return err
	}
	out := &kgo.Record{Topic: to.Name(), Key: key, Value: value, Timestamp: r.Time}
	for _, h := range headers {
		out.Headers = append(out.Headers, kgo.RecordHeader(h))
	}
	g.client.Produce(ctx, out, func(_ *kgo.Record, err error) {
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			g.fail(fmt.Errorf("topic %s: %w: processor topics prints how to create it", to.Name(), err))
		case err != nil:
			g.fail(fmt.Errorf("topic %s: %w", to.Name(), err))
		}
	})
	return ctx.Err()
}

// until waits for a time. It returns false if ctx ends first.
func until(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
