package topologies

import (
	_ "embed" // the schemas
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
	"github.com/leatstream/leat/pkg/serde/registry"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

var orders = Topology{
	Name:        "orders-avro",
	Description: "orders and customers -> orders with their total and their customer's name; Avro, with a schema registry",
	Topics:      []Topic{{"orders", "orders", Read}, {"customers", "customers", Read}, {"enriched", "enriched-orders", Written}},
	Registry:    true,
	schematic:   buildOrders,
}

// An Order is what a customer has ordered. The record's key is the order's id.
type Order struct {
	ID       string      `avro:"id"`
	Customer string      `avro:"customer"`
	Placed   time.Time   `avro:"placed"`
	Lines    []OrderLine `avro:"lines"`
	Currency string      `avro:"currency"`
}

// An OrderLine is one article of an order.
type OrderLine struct {
	Article  string `avro:"article"`
	Quantity int32  `avro:"quantity"`
	Cents    int64  `avro:"cents"` // of one
}

// A Customer is who orders. The record's key is the customer's id.
type Customer struct {
	Name    string `avro:"name"`
	Country string `avro:"country"`
}

// An EnrichedOrder is an order with its total, and its customer if that is known. The
// record's key is the customer's id.
type EnrichedOrder struct {
	ID       string    `avro:"id"`
	Customer string    `avro:"customer"`
	Placed   time.Time `avro:"placed"`
	Cents    int64     `avro:"cents"`
	Currency string    `avro:"currency"`
	Name     *string   `avro:"name"`
	Country  *string   `avro:"country"`
}

// The schemas by which the service reads and writes.
var (
	//go:embed schemas/order.avsc
	OrderSchema string
	//go:embed schemas/customer.avsc
	CustomerSchema string
	//go:embed schemas/enriched.avsc
	EnrichedOrderSchema string
)

// OrderTopic, CustomerTopic and EnrichedOrderTopic are the topics of the orders
// topology, by the names they have in Kafka.
func OrderTopic(s Schemas, name string) topology.Topic[string, Order] {
	return topology.NewTopic(name, serde.String, avroSerde[Order](s, OrderSchema))
}

func CustomerTopic(s Schemas, name string) topology.Topic[string, Customer] {
	return topology.NewTopic(name, serde.String, avroSerde[Customer](s, CustomerSchema))
}

func EnrichedOrderTopic(s Schemas, name string) topology.Topic[string, EnrichedOrder] {
	return topology.NewTopic(name, serde.String, avroSerde[EnrichedOrder](s, EnrichedOrderSchema))
}

func avroSerde[T any](s Schemas, schema string) serde.Serde[T] {
	return s.Client.Serde(avro.Of[T](schema), registry.Options{Register: s.Register})
}

func buildOrders(s Schemas, topics map[string]string) *topology.Builder {
	byCustomer := topology.NewRepartition("orders-by-customer", serde.String, avroSerde[Order](s, OrderSchema))
	known := store.KeyValue("customers", serde.String, avroSerde[Customer](s, CustomerSchema))

	b := topology.New()
	customers := b.Table(CustomerTopic(s, topics["customers"]), known)
	b.From(OrderTopic(s, topics["orders"])).
		KeyBy(byCustomer, func(_ string, o Order) string { return o.Customer }).
		LeftJoinTable(customers, func(_ string, o Order, c topology.Opt[Customer]) EnrichedOrder { return enrich(o, c) }).
		To(EnrichedOrderTopic(s, topics["enriched"]))
	return b
}

func enrich(o Order, c topology.Opt[Customer]) EnrichedOrder {
	e := EnrichedOrder{ID: o.ID, Customer: o.Customer, Placed: o.Placed, Currency: o.Currency}
	for _, l := range o.Lines {
		e.Cents += int64(l.Quantity) * l.Cents
	}
	if known, ok := c.Get(); ok {
		e.Name, e.Country = &known.Name, &known.Country
	}
	return e
}
