// Package payments makes up card payments that look real: few cards are used
// often and most seldom, amounts are lognormal, and now and then a card is stolen
// and used in a burst. It is pure: the same options make the same payments.
package payments

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/leatstream/leat/cmd/processor/internal/topologies"
)

// Options say what to make.
type Options struct {
	Seed       uint64
	Cards      int       // how many there are; 20,000 if 0
	Rate       float64   // payments in a second, bursts not counted; 100 if 0
	BurstEvery int       // a card is stolen about once in so many payments; 2000 if 0
	Start      time.Time // of the first second
}

// A Payment is one payment, with its card and time.
type Payment struct {
	topologies.Payment
	Card  string
	At    time.Time
	Theft bool // it is part of a burst
}

// A Card is a card with what is usual for it.
type Card struct {
	Number string
	Limit  topologies.Limit
	median float64 // of its amounts, in cents
}

// A Generator makes payments in the order of their times.
type Generator struct {
	o      Options
	rand   *rand.Rand
	zipf   *rand.Zipf
	cards  []Card
	next   time.Time // of the next payment that is no theft
	thefts []*theft
	made   int64
}

// New returns a generator.
func New(o Options) *Generator {
	o.Cards = orDefault(o.Cards, 20_000)
	o.Rate = orDefault(o.Rate, 100)
	o.BurstEvery = orDefault(o.BurstEvery, 2000)
	r := rand.New(rand.NewPCG(o.Seed, 0x6c656174))
	g := &Generator{o: o, rand: r, zipf: rand.NewZipf(r, zipfS, zipfV, uint64(o.Cards-1)), next: o.Start}
	total := 0.0
	for i := range o.Cards {
		total += weight(i)
	}
	for i := range o.Cards {
		g.cards = append(g.cards, g.card(i, weight(i)/total))
	}
	return g
}

func orDefault[T int | float64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Card i is used in proportion to (zipfV+i)^-zipfS.
const (
	zipfS = 1.1
	zipfV = 10
)

func weight(i int) float64 { return math.Pow(zipfV+float64(i), -zipfS) }

// spread is the deviation of the logarithm of a card's amounts.
const spread = 0.8

// card makes card i, which is used in that share of all payments. Its limit
// leaves room for chance.
func (g *Generator) card(i int, share float64) Card {
	median := 1500 * math.Exp(0.6*g.rand.NormFloat64())
	usual := share * g.o.Rate * 600 // payments in 10 minutes
	most := math.Ceil(usual + 5*math.Sqrt(usual) + 5)
	mean := median * math.Exp(spread*spread/2)
	return Card{
		Number: fmt.Sprintf("card-%06d", i),
		Limit:  topologies.Limit{Payments: int64(most), Cents: int64(3 * most * mean)},
		median: median,
	}
}

// Cards are all cards, those used most often first.
func (g *Generator) Cards() []Card { return g.cards }

// Next returns the next payment.
func (g *Generator) Next() Payment {
	if i := g.earliest(); i >= 0 && g.thefts[i].next.Before(g.next) {
		return g.steal(i)
	}
	at, card := g.next, &g.cards[g.zipf.Uint64()]
	g.next = at.Add(time.Duration(g.rand.ExpFloat64() / g.o.Rate * float64(time.Second)))
	if g.rand.IntN(g.o.BurstEvery) == 0 {
		g.startTheft(at)
	}
	return g.payment(card, at, card.median*math.Exp(spread*g.rand.NormFloat64()))
}

func (g *Generator) payment(card *Card, at time.Time, cents float64) Payment {
	g.made++
	return Payment{
		Card: card.Number, At: at.Truncate(time.Millisecond),
		Payment: topologies.Payment{
			ID:       fmt.Sprintf("p-%d-%d", g.o.Seed, g.made),
			Cents:    max(1, int64(cents)),
			Merchant: fmt.Sprintf("merchant-%03d", g.rand.IntN(500)),
			Country:  countries[g.rand.IntN(len(countries))],
		},
	}
}

var countries = []string{"NZ", "NZ", "NZ", "NZ", "NZ", "AU", "AU", "SG", "GB", "US"}
