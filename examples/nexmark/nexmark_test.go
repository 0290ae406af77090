package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

// A day is some events, and what is known of them.
type day struct {
	bids     []Bid
	auctions map[int64]Auction
	people   map[int64]Person
	d        *topologytest.Driver
}

var opening = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)

// play feeds a query a day's events, and one of each kind a while after, so that all windows
// close.
func play(t *testing.T, query string) *day {
	t.Helper()
	t.Parallel()
	b := topology.New()
	queries[query](b)
	d := &day{auctions: map[int64]Auction{}, people: map[int64]Person{}, d: topologytest.New(t, b, topologytest.StartAt(opening))}
	g := NewGenerator(7, opening, 7*time.Millisecond)
	for range 6000 {
		d.pipe(query, g.Next())
	}
	if slices.Contains([]string{"q5", "q7", "q8"}, query) {
		night := opening.Add(70 * time.Second).UnixMilli()
		for _, e := range []Event{{Person: &Person{ID: 1, Name: "Nick", At: night}}, {Auction: &Auction{ID: 1, Seller: 1, At: night}}, {Bid: &Bid{At: night}}} {
			d.send(query, e)
		}
	}
	d.d.Commit()
	return d
}

func (d *day) pipe(query string, e Event) {
	switch {
	case e.Person != nil:
		d.people[e.Person.ID] = *e.Person
	case e.Auction != nil:
		d.auctions[e.Auction.ID] = *e.Auction
	default:
		d.bids = append(d.bids, *e.Bid)
	}
	d.send(query, e)
}

// reads is which of the inputs a query reads: people, auctions, bids.
var reads = map[string]string{"q3": "pa", "q4": "ab", "q8": "pa"}

func (d *day) send(query string, e Event) {
	inputs := cmp.Or(reads[query], "b")
	has := func(input string) bool { return slices.Contains([]byte(inputs), input[0]) }
	switch {
	case e.Person != nil && has("p"):
		d.d.Pipe(people, topology.Record[int64, Person]{Key: e.Person.ID, Value: *e.Person, Time: e.At()})
	case e.Auction != nil && has("a"):
		d.d.Pipe(auctions, topology.Record[int64, Auction]{Key: e.Auction.ID, Value: *e.Auction, Time: e.At()})
	case e.Bid != nil && has("b"):
		d.d.Pipe(bids, topology.Record[int64, Bid]{Key: e.Bid.Auction, Value: *e.Bid, Time: e.At()})
	}
}

// table is what a topic's records leave: the last value of each key.
func table[K comparable, V any](d *day, from topology.Topic[K, V]) map[K]V {
	rows := map[K]V{}
	for _, r := range d.d.Take(from) {
		if rows[r.Key] = r.Value; r.NullValue {
			delete(rows, r.Key)
		}
	}
	return rows
}

// same compares a table with what should be in it, which must be something.
func same[K comparable, V any](t *testing.T, got, want map[K]V) {
	t.Helper()
	if len(want) == 0 {
		t.Error("these events have no answer")
	}
	if !maps.EqualFunc(got, want, func(a, b V) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("it is\n%v\nand not\n%v", got, want)
	}
}

func TestStateless(t *testing.T) {
	for query, want := range map[string]func(Bid) (value any, kept bool){
		"q0": func(b Bid) (any, bool) { return b, true },
		"q1": func(b Bid) (any, bool) { b.Price = b.Price * 908 / 1000; return b, true },
		"q2": func(b Bid) (any, bool) { return b.Price, b.Auction%123 == 0 },
	} {
		t.Run(query, func(t *testing.T) {
			d := play(t, query)
			var got, expected []any
			for _, b := range d.bids {
				if v, ok := want(b); ok {
					expected = append(expected, v)
				}
			}
			for _, r := range d.d.Take(copied) {
				got = append(got, r.Value)
			}
			for _, r := range d.d.Take(inEuros) {
				got = append(got, r.Value)
			}
			for _, r := range d.d.Take(selected) {
				got = append(got, r.Value)
			}
			if len(expected) == 0 || !slices.Equal(got, expected) {
				t.Errorf("%d records, and not %d: %v", len(got), len(expected), got[:min(len(got), 3)])
			}
		})
	}
}

func TestLocalItems(t *testing.T) {
	d := play(t, "q3")
	want := map[int64]localItem{}
	for id, a := range d.auctions {
		p := d.people[a.Seller]
		if a.Category == 10 && slices.Contains([]string{"OR", "ID", "CA"}, p.State) {
			want[id] = localItem{p.Name, p.City, p.State}
		}
	}
	same(t, table(d, local), want)
}

func TestCategoryPrices(t *testing.T) {
	d := play(t, "q4")
	best := map[int64]int64{}
	for _, b := range d.bids {
		if a := d.auctions[b.Auction]; b.At >= a.At && b.At <= a.Expires {
			best[b.Auction] = max(best[b.Auction], b.Price)
		}
	}
	sums, n, want := map[int64]int64{}, map[int64]int64{}, map[int64]int64{}
	for id, price := range best {
		c := d.auctions[id].Category
		sums[c], n[c] = sums[c]+price, n[c]+1
		want[c] = sums[c] / n[c]
	}
	same(t, table(d, averages), want)
}

func TestHotItems(t *testing.T) {
	d := play(t, "q5")
	counts := map[int64]map[int64]int64{}
	const advance = 2000
	for _, b := range d.bids {
		for end := b.At/advance*advance + advance; end <= b.At/advance*advance+period.Milliseconds(); end += advance {
			if counts[end] == nil {
				counts[end] = map[int64]int64{}
			}
			counts[end][b.Auction]++
		}
	}
	want := map[int64]popular{}
	for end, of := range counts {
		most := slices.Max(slices.Collect(maps.Values(of)))
		maps.DeleteFunc(of, func(_, n int64) bool { return n < most })
		want[end] = popular{slices.Sorted(maps.Keys(of)), most}
	}
	same(t, table(d, hottest), want)
}

func TestHighestBids(t *testing.T) {
	d := play(t, "q7")
	want := map[int64]Bid{}
	for _, b := range d.bids {
		end := periodOf(b.At).End
		if best, ok := want[end]; !ok || b.Price > best.Price {
			want[end] = b
		}
	}
	same(t, table(d, highest), want)
}

func periodOf(at int64) (w window.Windowed[int64]) {
	w.Start = at / period.Milliseconds() * period.Milliseconds()
	w.End = w.Start + period.Milliseconds()
	return w
}

func TestNewSellers(t *testing.T) {
	d := play(t, "q8")
	want := map[window.Windowed[int64]]string{}
	for _, a := range d.auctions {
		if w, p := periodOf(a.At), d.people[a.Seller]; w == periodOf(p.At) {
			w.Key = p.ID
			want[w] = p.Name
		}
	}
	same(t, table(d, sellers), want)
}

func TestUserSessions(t *testing.T) {
	d := play(t, "q11")
	want, open := map[window.Windowed[int64]]int64{}, map[int64]window.Windowed[int64]{}
	for _, b := range d.bids {
		w, ok := open[b.Bidder]
		if !ok || b.At > w.End+period.Milliseconds() {
			w = window.Windowed[int64]{Key: b.Bidder, Start: b.At}
		}
		n := want[w]
		delete(want, w)
		w.End = b.At
		want[w], open[b.Bidder] = n+1, w
	}
	same(t, table(d, sessions), want)
}

// The driver's clock stands still.
func TestBidsByTheClock(t *testing.T) {
	d := play(t, "q12")
	want := map[window.Windowed[int64]]int64{}
	for _, b := range d.bids {
		w := periodOf(opening.UnixMilli())
		w.Key = b.Bidder
		want[w]++
	}
	same(t, table(d, byTheClock), want)
}

func TestLastBids(t *testing.T) {
	d := play(t, "q18")
	got, want := map[[2]int64]Bid{}, map[[2]int64]Bid{}
	for _, b := range d.bids {
		want[[2]int64{b.Bidder, b.Auction}] = b
	}
	for _, r := range d.d.Take(last) {
		got[[2]int64(r.Key)] = r.Value
	}
	same(t, got, want)
}

func TestGenerator(t *testing.T) {
	a, b := NewGenerator(1, opening, time.Second), NewGenerator(1, opening, time.Second)
	for range 1000 {
		x, errX := a.Next().record()
		y, errY := b.Next().record()
		if errX != nil || errY != nil || fmt.Sprint(x) != fmt.Sprint(y) {
			t.Fatalf("%v, %v; %v, %v", x, errX, y, errY)
		}
	}
}
