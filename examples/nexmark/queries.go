package main

import (
	"slices"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// queries by name.
var queries = map[string]func(*topology.Builder){
	"q0": passThrough, "q1": currency, "q2": selection, "q3": localItems, "q4": categoryPrices, "q5": hotItems,
	"q7": highestBids, "q8": newSellers, "q11": userSessions, "q12": bidsByTheClock, "q18": lastBids,
}

// q0: every bid, as it is. It shows what moving costs.
var copied = topology.NewTopic("nexmark-q0", serde.Int64, serde.JSON[Bid]())

func passThrough(b *topology.Builder) { b.From(bids).To(copied) }

// q1: every bid, in euros.
var inEuros = topology.NewTopic("nexmark-q1", serde.Int64, serde.JSON[Bid]())

func currency(b *topology.Builder) {
	b.From(bids).MapValues(func(bid Bid) Bid {
		bid.Price = bid.Price * 908 / 1000
		return bid
	}).To(inEuros)
}

// q2: the prices that are bid in some auctions.
var selected = topology.NewTopic("nexmark-q2", serde.Int64, serde.Int64)

func selection(b *topology.Builder) {
	b.From(bids).
		Filter(func(auction int64, _ Bid) bool { return auction%123 == 0 }).
		MapValues(func(bid Bid) int64 { return bid.Price }).
		To(selected)
}

// q3: who sells something of category 10 in three states? A change of the auction or of
// the person changes the answer.
type localItem struct {
	Name  string `json:"name"`
	City  string `json:"city"`
	State string `json:"state"`
}

var local = topology.NewTopic("nexmark-q3", serde.Int64, serde.JSON[localItem]())

func localItems(b *topology.Builder) {
	sellers := b.Table(people, store.KeyValue("people", serde.Int64, serde.JSON[Person]())).
		Filter(func(_ int64, p Person) bool { return slices.Contains([]string{"OR", "ID", "CA"}, p.State) })
	b.Table(auctions, store.KeyValue("auctions", serde.Int64, serde.JSON[Auction]())).
		Filter(func(_ int64, a Auction) bool { return a.Category == 10 }).
		JoinForeign(sellers, topology.NewSubscription("local-items"),
			func(_ int64, a Auction) topology.Opt[int64] { return topology.Some(a.Seller) },
			func(_ int64, _ Auction, p Person) localItem { return localItem{p.Name, p.City, p.State} }).
		Stream().
		To(local)
}

// q4: what do the auctions of a category bring on average? The highest bid of each
// auction counts, of those that came while it was open.
type offer struct {
	Category int64 `json:"category"`
	Price    int64 `json:"price"`
	InTime   bool  `json:"in_time"`
}

type mean struct {
	Sum int64 `json:"sum"`
	N   int64 `json:"n"`
}

var (
	averages   = topology.NewTopic("nexmark-q4", serde.Int64, serde.Int64)
	byCategory = topology.NewRepartition("by-category", serde.Int64, serde.Int64)
)

func categoryPrices(b *topology.Builder) {
	open := b.Table(auctions, store.KeyValue("auctions", serde.Int64, serde.JSON[Auction]()))
	b.From(bids).
		JoinTable(open, func(_ int64, bid Bid, a Auction) offer {
			return offer{a.Category, bid.Price, bid.At >= a.At && bid.At <= a.Expires}
		}).
		Filter(func(_ int64, o offer) bool { return o.InTime }).
		Reduce(store.KeyValue("winning", serde.Int64, serde.JSON[offer]()), func(best, o offer) offer {
			if o.Price > best.Price {
				return o
			}
			return best
		}).
		GroupBy(byCategory, func(_ int64, o offer) (int64, int64) { return o.Category, o.Price }).
		Aggregate(store.KeyValue("averages", serde.Int64, serde.JSON[mean]()),
			func(m mean, _, price int64) mean { return mean{m.Sum + price, m.N + 1} },
			func(m mean, _, price int64) mean { return mean{m.Sum - price, m.N - 1} }).
		MapValues(func(m mean) int64 { return m.Sum / max(m.N, 1) }).
		Stream().
		To(averages)
}

// q5: which auctions had most bids in the last ten seconds? It is asked every two. The
// key is the end of the ten seconds.
type popular struct {
	Auctions []int64 `json:"auctions"`
	Bids     int64   `json:"bids"`
}

var (
	hottest  = topology.NewTopic("nexmark-q5", serde.Int64, serde.JSON[popular]())
	byPeriod = topology.NewRepartition("by-period", serde.Int64, serde.JSON[popular]())
)

func hotItems(b *topology.Builder) {
	topology.Windowed(b.From(bids), window.Hopping(10*time.Second, 2*time.Second)).
		OnClose().
		Count(store.Window("bids", serde.Int64, serde.Int64).Retention(time.Minute)).
		Stream().
		Map(func(w window.Windowed[int64], n int64) (int64, popular) { return w.End, popular{[]int64{w.Key}, n} }).
		Repartition(byPeriod).
		Reduce(store.KeyValue("hottest", serde.Int64, serde.JSON[popular]()), func(best, p popular) popular {
			switch {
			case p.Bids > best.Bids:
				return p
			case p.Bids == best.Bids:
				best.Auctions = append(best.Auctions, p.Auctions...)
				slices.Sort(best.Auctions)
			}
			return best
		}).
		Stream().
		To(hottest)
}

// q7: the highest bid of every ten seconds. Each partition finds its own first.
var (
	highest  = topology.NewTopic("nexmark-q7", serde.Int64, serde.JSON[Bid]())
	ofPeriod = topology.NewRepartition("of-period", serde.Int64, serde.JSON[Bid]())
)

func highestBids(b *topology.Builder) {
	topology.Windowed(b.From(bids), window.Tumbling(10*time.Second)).
		OnClose().
		Reduce(store.Window("highest-of-auction", serde.Int64, serde.JSON[Bid]()).Retention(time.Minute), higher).
		Stream().
		Map(func(w window.Windowed[int64], best Bid) (int64, Bid) { return w.End, best }).
		Repartition(ofPeriod).
		Reduce(store.KeyValue("highest", serde.Int64, serde.JSON[Bid]()), higher).
		Stream().
		To(highest)
}

// higher prefers the first of equal bids.
func higher(best, bid Bid) Bid {
	if bid.Price > best.Price || bid.Price == best.Price && bid.At < best.At {
		return bid
	}
	return best
}

// q8: who came and opened an auction within the same ten seconds?
var (
	sellers  = topology.NewTopic("nexmark-q8", serde.TimeWindowed(serde.Int64, period), serde.String)
	bySeller = topology.NewRepartition("by-seller", serde.Int64, serde.JSON[Auction]())
)

const period = 10 * time.Second

func newSellers(b *topology.Builder) {
	opened := b.From(auctions).KeyBy(bySeller, func(_ int64, a Auction) int64 { return a.Seller })
	met := b.From(people).Join(opened, window.Within(period),
		store.Join("met", serde.Int64, serde.JSON[Person](), serde.JSON[Auction]()),
		func(_ int64, p Person, a Auction) string {
			if p.At/period.Milliseconds() != a.At/period.Milliseconds() {
				return "" // close, but not in the same ten seconds
			}
			return p.Name
		}).
		Filter(func(_ int64, name string) bool { return name != "" })
	topology.Windowed(met, window.Tumbling(period)).
		OnClose().
		Reduce(store.Window("new-sellers", serde.Int64, serde.String).Retention(time.Minute), func(name, _ string) string { return name }).
		Stream().
		To(sellers)
}

// q11: how many bids does a person make before a pause of ten seconds?
var (
	sessions = topology.NewTopic("nexmark-q11", serde.SessionWindowed(serde.Int64), serde.Int64)
	byBidder = topology.NewRepartition("by-bidder", serde.Int64, serde.JSON[Bid]())
)

func userSessions(b *topology.Builder) {
	topology.Sessions(b.From(bids).KeyBy(byBidder, bidder), window.Sessions(10*time.Second)).
		Count(store.Session("bids", serde.Int64, serde.Int64)).
		Stream().
		To(sessions)
}

func bidder(_ int64, bid Bid) int64 { return bid.Bidder }

// q12: how many bids does a person make in ten seconds by the clock on the wall?
var byTheClock = topology.NewTopic("nexmark-q12", serde.TimeWindowed(serde.Int64, period), serde.Int64)

func bidsByTheClock(b *topology.Builder) {
	topology.Windowed(b.From(bids.TimedByArrival()).KeyBy(byBidder, bidder), window.Tumbling(period)).
		Count(store.Window("bids", serde.Int64, serde.Int64)).
		Stream().
		To(byTheClock)
}

// q18: the last bid of each person in each auction. The key is the two.
var (
	last   = topology.NewTopic("nexmark-q18", pair, serde.JSON[Bid]())
	byPair = topology.NewRepartition("by-bidder-and-auction", pair, serde.JSON[Bid]())
	pair   = serde.List(serde.Int64)
)

func lastBids(b *topology.Builder) {
	b.From(bids).
		KeyBy(byPair, func(auction int64, bid Bid) []int64 { return []int64{bid.Bidder, auction} }).
		Reduce(store.KeyValue("last", pair, serde.JSON[Bid]()), func(last, bid Bid) Bid {
			if bid.At >= last.At {
				return bid
			}
			return last
		}).
		Stream().
		To(last)
}
