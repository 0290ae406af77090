// Package shop makes up customers and their orders: some customers order often, most
// seldom, and one in fifty is not known. It is pure: the same options make the same orders.
package shop

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/leatstream/leat/cmd/processor/internal/topologies"
)

// Options say what to make.
type Options struct {
	Seed      uint64
	Customers int       // how many there are; 1000 if 0
	Rate      float64   // orders in a second; 100 if 0
	Start     time.Time // of the first second
}

// A Customer is one customer with its key.
type Customer struct {
	ID string
	topologies.Customer
}

// A Generator makes orders in the order of their times.
type Generator struct {
	rand      *rand.Rand
	zipf      *rand.Zipf
	customers []Customer
	rate      float64
	next      time.Time
	made      int
}

// New returns a generator.
func New(o Options) *Generator {
	if o.Customers == 0 {
		o.Customers = 1000
	}
	if o.Rate == 0 {
		o.Rate = 100
	}
	r := rand.New(rand.NewPCG(o.Seed, 0x73686f70))
	g := &Generator{rand: r, zipf: rand.NewZipf(r, 1.1, 8, uint64(o.Customers-1)), rate: o.Rate, next: o.Start}
	for i := range o.Customers {
		c := topologies.Customer{Name: pick(r, first) + " " + pick(r, last), Country: pick(r, countries)}
		g.customers = append(g.customers, Customer{fmt.Sprintf("c-%05d", i), c})
	}
	return g
}

// Customers are all that are known.
func (g *Generator) Customers() []Customer { return g.customers }

const unknownEvery = 50

// Next returns the next order.
func (g *Generator) Next() topologies.Order {
	g.made++
	g.next = g.next.Add(time.Duration(g.rand.ExpFloat64() / g.rate * float64(time.Second)))
	o := topologies.Order{
		ID: fmt.Sprintf("o-%08d", g.made), Customer: g.customers[g.zipf.Uint64()].ID,
		Placed: g.next.Truncate(time.Millisecond), Currency: "EUR",
	}
	if g.rand.IntN(unknownEvery) == 0 {
		o.Customer = "guest"
	}
	for range 1 + g.rand.IntN(4) {
		o.Lines = append(o.Lines, topologies.OrderLine{
			Article: fmt.Sprintf("a-%03d", g.rand.IntN(500)), Quantity: 1 + g.rand.Int32N(3), Cents: 99 + 100*g.rand.Int64N(80),
		})
	}
	return o
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

var (
	first     = []string{"Ada", "Alan", "Barbara", "Edsger", "Frances", "Grace", "John", "Katherine", "Leslie", "Niklaus"}
	last      = []string{"Allen", "Dijkstra", "Hopper", "Johnson", "Lamport", "Liskov", "Lovelace", "McCarthy", "Turing", "Wirth"}
	countries = []string{"AT", "CH", "DE", "FR", "GB", "IT", "NL", "NZ", "US"}
)
