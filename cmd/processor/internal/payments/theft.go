package payments

import (
	"math"
	"time"
)

// A theft is a burst in progress: small amounts to see whether the card works,
// then large ones, seconds apart.
type theft struct {
	card *Card
	next time.Time
	done int64
	left int64
}

// startTheft steals one of the cards that are not used so often that a thief would
// go unnoticed.
func (g *Generator) startTheft(at time.Time) {
	card := &g.cards[g.rand.IntN(len(g.cards))]
	if card.Limit.Payments > 40 {
		return
	}
	g.thefts = append(g.thefts, &theft{card: card, next: at.Add(g.pause()), left: card.Limit.Payments + 2 + g.rand.Int64N(10)})
}

// pause is the time between two payments of a thief.
func (g *Generator) pause() time.Duration {
	return time.Second + time.Duration(g.rand.Int64N(int64(7*time.Second)))
}

// earliest returns the theft whose payment comes next, -1 if there is none.
func (g *Generator) earliest() int {
	first := -1
	for i, t := range g.thefts {
		if first < 0 || t.next.Before(g.thefts[first].next) {
			first = i
		}
	}
	return first
}

// steal makes the next payment of theft i.
func (g *Generator) steal(i int) Payment {
	t := g.thefts[i]
	at, factor := t.next, 0.1
	if t.done++; t.done > 3 {
		factor = 5
	}
	t.next = at.Add(g.pause())
	if t.left--; t.left == 0 {
		g.thefts = append(g.thefts[:i], g.thefts[i+1:]...)
	}
	p := g.payment(t.card, at, factor*t.card.median*math.Exp(0.3*g.rand.NormFloat64()))
	p.Theft, p.Country = true, "BR"
	return p
}
