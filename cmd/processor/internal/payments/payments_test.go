package payments_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/leatstream/leat/cmd/processor/internal/payments"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func take(g *payments.Generator, n int) (ps []payments.Payment) {
	for range n {
		ps = append(ps, g.Next())
	}
	return ps
}

func TestSameSeedSamePayments(t *testing.T) {
	t.Parallel()
	a := take(payments.New(payments.Options{Seed: 7, Start: start}), 5000)
	b := take(payments.New(payments.Options{Seed: 7, Start: start}), 5000)
	if !slices.Equal(a, b) {
		t.Error("two runs differ")
	}
	if c := take(payments.New(payments.Options{Seed: 8, Start: start}), 5000); slices.Equal(a, c) {
		t.Error("two seeds make the same")
	}
}

// TestShape checks rate, order, use of cards and amounts.
func TestShape(t *testing.T) {
	t.Parallel()
	const n = 20_000
	ps := take(payments.New(payments.Options{Seed: 1, Start: start, Rate: 50, Cards: 1000}), n)
	uses := map[string]int{}
	var logs []float64
	for i, p := range ps {
		if i > 0 && p.At.Before(ps[i-1].At) {
			t.Fatalf("payment %d is before the one before it", i)
		}
		if p.Cents < 1 {
			t.Fatalf("payment %d is of %d cents", i, p.Cents)
		}
		uses[p.Card]++
		logs = append(logs, math.Log(float64(p.Cents)))
	}
	if seconds := ps[n-1].At.Sub(start).Seconds(); math.Abs(n/50-seconds) > 50 {
		t.Errorf("%d payments at 50 a second took %.0f s", n, seconds)
	}
	if first, tenth := uses["card-000000"], uses["card-000100"]; first < 5*tenth || first > n/10 {
		t.Errorf("the first card was used %d times, the hundredth %d", first, tenth)
	}
	slices.Sort(logs)
	median, upper := logs[n/2], logs[n*84/100]
	if s := upper - median; math.Abs(median-math.Log(1500)) > 0.2 || s < 0.8 || s > 1.2 {
		t.Errorf("the median is %.0f cents, the deviation %.2f", math.Exp(median), s)
	}
}

// TestTheftsAreFound runs the payments through the fraud topology: each stolen
// card raises an alert, and hardly any other does.
func TestTheftsAreFound(t *testing.T) {
	t.Parallel()
	fraud, _ := topologies.Find("fraud")
	names := fraud.Defaults()
	d := topologytest.New(t, fraud.Builder(names), topologytest.Partitions(2), topologytest.CommitEvery(1000))
	g := payments.New(payments.Options{Seed: 3, Start: start, Rate: 20, Cards: 4000, BurstEvery: 200})
	for _, c := range g.Cards() {
		d.Pipe(topologies.LimitTopic(names["limits"]), topology.Record[string, topologies.Limit]{Key: c.Number, Value: c.Limit, Time: start})
	}
	limit, thefts := map[string]int64{}, map[string]int64{}
	for _, c := range g.Cards() {
		limit[c.Number] = c.Limit.Payments
	}
	for _, p := range take(g, 8_000) {
		if p.Theft {
			thefts[p.Card]++
		}
		d.Pipe(topologies.PaymentTopic(names["payments"]), topology.Record[string, topologies.Payment]{Key: p.Card, Value: p.Payment, Time: p.At})
	}
	d.Commit()
	alerted, wrong := map[string]bool{}, 0
	for _, a := range d.Take(topologies.AlertTopic(names["alerts"])) {
		alerted[a.Key] = true
		if thefts[a.Key] == 0 {
			wrong++
		}
	}
	stolen := 0
	for card, n := range thefts {
		if n <= limit[card] {
			continue // the thief has only begun
		}
		if stolen++; !alerted[card] {
			t.Errorf("%s was stolen, and no alert says so", card)
		}
	}
	if stolen < 20 || wrong > stolen/5 {
		t.Errorf("%d cards were stolen; %d alerts were for others", stolen, wrong)
	}
}
