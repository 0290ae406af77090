package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// An Event is one of the three.
type Event struct {
	Person  *Person
	Auction *Auction
	Bid     *Bid
}

// At is when it happens.
func (e Event) At() time.Time {
	switch {
	case e.Person != nil:
		return time.UnixMilli(e.Person.At)
	case e.Auction != nil:
		return time.UnixMilli(e.Auction.At)
	}
	return time.UnixMilli(e.Bid.At)
}

// A Generator makes events in the order of time, in NEXMark's proportions: of fifty, one
// is a person, three are auctions and the others bids, half of them in the auction of the
// hour. The same seed makes the same events.
type Generator struct {
	Start time.Time
	Every time.Duration // between two events
	rand  *rand.Rand
	made  int64
}

// NewGenerator returns a generator.
func NewGenerator(seed uint64, start time.Time, every time.Duration) *Generator {
	return &Generator{Start: start, Every: every, rand: rand.New(rand.NewPCG(seed, 0))}
}

const (
	round       = 50 // events
	perRound    = 3  // auctions in a round
	hot         = 20 // every so many-th auction, person, is hot until the next one
	recent      = 100
	categories  = 5
	category0   = 10
	longest     = 20 * time.Second // that an auction lasts
	personFirst = 1000             // the first person's id, and the first auction's
)

var (
	states   = []string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	cities   = []string{"Phoenix", "Los Angeles", "Boise", "Portland", "Seattle", "Cheyenne"}
	names    = []string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter"}
	channels = []string{"apple", "google", "facebook", "baidu"}
)

// Next makes the next event.
func (g *Generator) Next() Event {
	at := g.Start.Add(time.Duration(g.made) * g.Every).UnixMilli()
	n := g.made % round
	rounds := g.made / round
	g.made++
	switch {
	case n == 0:
		return Event{Person: g.person(personFirst+rounds, at)}
	case n <= perRound:
		return Event{Auction: g.auction(personFirst+rounds*perRound+n-1, rounds+1, at)}
	}
	return Event{Bid: g.bid(perRound*(rounds+1), rounds+1, at)}
}

func (g *Generator) person(id, at int64) *Person {
	i := g.rand.IntN(len(states))
	return &Person{ID: id, Name: names[g.rand.IntN(len(names))], City: cities[i], State: states[i], At: at}
}

func (g *Generator) auction(id, persons, at int64) *Auction {
	return &Auction{
		ID: id, Item: fmt.Sprint("item ", id), Seller: g.pick(persons, 4), Category: category0 + g.rand.Int64N(categories),
		Reserve: g.price(), At: at, Expires: at + 1 + g.rand.Int64N(longest.Milliseconds()),
	}
}

func (g *Generator) bid(auctions, persons, at int64) *Bid {
	return &Bid{
		Auction: g.pick(auctions, 2), Bidder: g.pick(persons, 4), Price: g.price(), Channel: channels[g.rand.IntN(len(channels))], At: at,
	}
}

// pick chooses one of n ids: the hot one, but once in so many times one of the last.
func (g *Generator) pick(n, cold int64) int64 {
	if g.rand.Int64N(cold) > 0 {
		return personFirst + (n-1)/hot*hot
	}
	return personFirst + n - 1 - g.rand.Int64N(min(n, recent))
}

func (g *Generator) price() int64 { return int64(math.Round(math.Pow(10, g.rand.Float64()*6) * 100)) }
