package topologies

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

var (
	payments = PaymentTopic("payments")
	limits   = LimitTopic("card-limits")
	alerts   = AlertTopic("fraud-alerts")
	noon     = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
)

// A desk sends payments and limits to the topology, and reads its alerts.
type desk struct {
	*topologytest.Driver
	n int
}

func newDesk(t *testing.T, opts ...topologytest.Option) *desk {
	t.Helper()
	return &desk{Driver: drive(t, fraud, opts...)}
}

// pay uses a card, at a time after noon, and numbers the payment from 1.
func (d *desk) pay(card string, after time.Duration, cents int64) {
	d.n++
	p := Payment{ID: fmt.Sprint(d.n), Cents: cents, Merchant: "m", Country: "NZ"}
	d.Pipe(payments, topology.Record[string, Payment]{Key: card, Value: p, Time: noon.Add(after)})
}

func (d *desk) limit(card string, l Limit) {
	d.Pipe(limits, topology.Record[string, Limit]{Key: card, Value: l, Time: noon})
}

// alerts are those since the last call, as card:payment:rule.
func (d *desk) alerts() string {
	var out []string
	for _, r := range d.Take(alerts) {
		out = append(out, r.Key+":"+r.Value.Payment+":"+r.Value.Rule)
	}
	return strings.Join(out, " ")
}

func (d *desk) expect(t *testing.T, what, want string) {
	t.Helper()
	if got := d.alerts(); got != want {
		t.Errorf("%s: alerts %q, want %q", what, got, want)
	}
}

func TestTooManyPayments(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.limit("a", Limit{Payments: 3, Cents: 1e9})
	for i := range 3 {
		d.pay("a", time.Duration(i)*time.Minute, 100)
	}
	d.expect(t, "at the limit", "")
	d.pay("a", 3*time.Minute, 100)
	d.expect(t, "beyond it", "a:4:payments")
	d.pay("a", 3*time.Minute+time.Second, 100)
	d.expect(t, "still beyond it", "")
	d.pay("a", 13*time.Minute+20*time.Second, 100)
	d.expect(t, "within it again", "")
	for i := range 3 {
		d.pay("a", time.Duration(14+i)*time.Minute, 100)
	}
	d.expect(t, "beyond it again", "a:9:payments")
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.limit("a", Limit{Payments: 100, Cents: 1000})
	d.pay("a", 0, 1000)
	d.expect(t, "at the limit", "")
	d.pay("a", time.Minute, 1)
	got := d.Take(alerts)
	want := Alert{
		Rule: "amount", Payment: "2", Payments: 2, Cents: 1001, Limit: Limit{Payments: 100, Cents: 1000},
		Since: noon, At: noon.Add(time.Minute),
	}
	if len(got) != 1 || got[0].Key != "a" || got[0].Value != want || !got[0].Time.Equal(want.At) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d.pay("a", time.Hour, 1001)
	d.expect(t, "one payment beyond the limit, after a pause", "a:3:amount")
}

func TestEndOfSpan(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, card := range []string{"a", "b"} {
		d.limit(card, Limit{Payments: 1, Cents: 1e9})
		d.pay(card, 9*time.Second, 1)
	}
	d.pay("a", 10*time.Minute-time.Millisecond, 1)
	d.pay("b", 10*time.Minute, 1)
	d.expect(t, "the last step of a span and the first of the next", "a:3:payments")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range StandardLimit.Payments {
		d.pay("a", 0, 1)
	}
	d.expect(t, "at the standard limit", "")
	d.pay("a", 0, 1)
	d.expect(t, "beyond it", "a:9:payments")
	d.limit("b", Limit{Payments: 5, Cents: 1e9})
	for range 3 {
		d.pay("b", 0, 1)
	}
	d.limit("b", Limit{Payments: 2, Cents: 1e9})
	d.pay("b", 0, 1)
	d.expect(t, "a limit that was lowered", "b:13:payments")
	d.Pipe(limits, topology.Record[string, Limit]{Key: "b", NullValue: true, Time: noon})
	for range 4 {
		d.pay("b", 0, 1)
	}
	d.expect(t, "a limit that was removed", "")
	d.pay("b", 0, 1)
	d.expect(t, "beyond the standard limit", "b:18:payments")
}

func TestLatePayments(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.limit("a", Limit{Payments: 2, Cents: 1e9})
	d.pay("a", 20*time.Minute, 1)
	d.pay("a", 12*time.Minute, 1)
	d.pay("a", 10*time.Minute, 1) // not in the 10 minutes up to the last one
	d.expect(t, "two in the span and one before", "")
	d.pay("a", 11*time.Minute, 1)
	d.expect(t, "three in the span", "a:4:payments")
}

func TestCardsAreApart(t *testing.T) {
	t.Parallel()
	d := newDesk(t, topologytest.Partitions(4))
	for i := range 40 {
		d.pay(fmt.Sprint("card-", i%10), time.Minute, 1)
	}
	d.expect(t, "four payments a card", "")
}

// TestForgets shows that the state holds the cards of the last hour only.
func TestForgets(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	most := 0
	for i := range 300 {
		d.pay(fmt.Sprint("card-", i), time.Duration(i)*time.Minute, 1)
		n := 0
		for _, err := range recentStore.Open(d).All() {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		most = max(most, n)
	}
	if most > 121 {
		t.Errorf("it remembers %d cards", most)
	}
}

func TestBadPayments(t *testing.T) {
	t.Parallel()
	var failed error
	d := newDesk(t, topologytest.OnError(func(err error) { failed = errors.Join(failed, err) }))
	d.Pipe(payments, topology.Record[string, Payment]{NullKey: true, Time: noon})
	if !errors.Is(failed, errNoCard) {
		t.Errorf("a payment without a card: %v", failed)
	}
	d = newDesk(t, topologytest.Failures(topology.DeadLetter, topology.DeadLetter, "bad"))
	d.Pipe(payments, topology.Record[string, Payment]{NullKey: true, Time: noon})
	d.PipeRaw("payments", task.Message{Key: []byte("a"), Value: []byte("{"), Time: noon.UnixMilli()})
	d.Pipe(payments, topology.Record[string, Payment]{Key: "a", NullValue: true, Time: noon})
	if n := len(d.Take(topology.NewTopic("bad", serde.Bytes, serde.Bytes))); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
	if dropped := d.Dropped(); dropped["null_value"] != 1 || dropped["dead_letter"] != 2 {
		t.Errorf("dropped %v", dropped)
	}
	d.limit("a", Limit{})
	d.pay("a", 0, 1)
	d.expect(t, "what comes after them", "a:1:payments")
}

// plainFraud finds the alerts of payments the obvious way: for each it goes
// through all that its card has done.
func plainFraud(in []topology.Record[string, Payment], limits map[string]Limit) (out []string) {
	seen, newest, alerted := map[string][]topology.Record[string, Payment]{}, map[string]time.Time{}, map[string]bool{}
	for _, r := range in {
		limit, ok := limits[r.Key]
		if !ok {
			limit = StandardLimit
		}
		if r.Time.After(newest[r.Key]) {
			newest[r.Key] = r.Time
		}
		sum := func() (n, cents int64) {
			for _, p := range seen[r.Key] {
				if stepOf(p.Time) > stepOf(newest[r.Key].Add(-span)) {
					n, cents = n+1, cents+p.Value.Cents
				}
			}
			return n, cents
		}
		over := func(n, cents int64) bool { return n > limit.Payments || cents > limit.Cents }
		if !over(sum()) {
			alerted[r.Key] = false
		}
		seen[r.Key] = append(seen[r.Key], r)
		if over(sum()) && !alerted[r.Key] {
			alerted[r.Key] = true
			out = append(out, r.Key+":"+r.Value.ID)
		}
	}
	slices.Sort(out)
	return out
}

// traffic makes payments that come up to 20 minutes late.
func traffic(r *rand.Rand, n int) (in []topology.Record[string, Payment]) {
	now := noon
	for i := range n {
		now = now.Add(time.Duration(r.IntN(30_000)) * time.Millisecond)
		at := now
		if r.IntN(5) == 0 {
			at = at.Add(-time.Duration(r.IntN(1200)) * time.Second)
		}
		p := Payment{ID: fmt.Sprint(i), Cents: 1 + r.Int64N(50_000)}
		in = append(in, topology.Record[string, Payment]{Key: fmt.Sprint("card-", r.IntN(6)), Value: p, Time: at})
	}
	return in
}

// TestAgainstPlain compares with the obvious program, over random traffic, under
// every way to run it: crashes and restarts must not show.
func TestAgainstPlain(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 1))
		in := traffic(r, 400)
		own := map[string]Limit{"card-1": {Payments: 3, Cents: 60_000}, "card-2": {Payments: 1000, Cents: 200_000}}
		want := plainFraud(in, own)
		if len(want) == 0 {
			t.Fatalf("seed %d: no alerts to compare", seed)
		}
		for name, disturb := range map[string]func(d *topologytest.Driver){
			"calm":          func(*topologytest.Driver) {},
			"restarts":      func(d *topologytest.Driver) { d.Restart(topologytest.KeepState) },
			"lost state":    func(d *topologytest.Driver) { d.Restart(topologytest.LoseState) },
			"crashes":       func(d *topologytest.Driver) { d.Crash(topologytest.KeepState) },
			"total crashes": func(d *topologytest.Driver) { d.Crash(topologytest.LoseState) },
		} {
			d := drive(t, fraud, topologytest.Partitions(3), topologytest.CommitEvery(7))
			for card, l := range own {
				d.Pipe(limits, topology.Record[string, Limit]{Key: card, Value: l, Time: noon.Add(-time.Hour)})
			}
			for i, record := range in {
				if i%50 == 33 {
					disturb(d)
				}
				d.Pipe(payments, record)
			}
			d.Commit()
			var got []string
			for _, alert := range d.Take(alerts) {
				got = append(got, alert.Key+":"+alert.Value.Payment)
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("seed %d, %s:\n got %q\nwant %q", seed, name, got, want)
			}
		}
	}
}
