package topologies

import (
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

var fraud = Topology{
	Name:        "fraud",
	Description: "card payments and limits per card -> alerts for cards used too often or for too much in 10 minutes; JSON",
	Topics:      []Topic{{"payments", "payments", Read}, {"limits", "card-limits", Read}, {"alerts", "fraud-alerts", Written}},
	builder:     buildFraud,
}

// A Payment is one use of a card, which is the record's key. When it was is the
// record's timestamp.
type Payment struct {
	ID       string `json:"id"`
	Cents    int64  `json:"cents"`
	Merchant string `json:"merchant"`
	Country  string `json:"country"`
}

// A Limit is what is usual for a card in any 10 minutes. More is suspicious.
type Limit struct {
	Payments int64 `json:"payments"`
	Cents    int64 `json:"cents"`
}

// StandardLimit holds for cards without one of their own.
var StandardLimit = Limit{Payments: 8, Cents: 150_000}

// An Alert says that a card was used beyond its limit. A card raises one when its
// limit is passed, and another only after it has been within the limit again.
type Alert struct {
	Rule     string    `json:"rule"`     // "payments" or "amount"
	Payment  string    `json:"payment"`  // that passed the limit
	Payments int64     `json:"payments"` // in the 10 minutes up to it
	Cents    int64     `json:"cents"`
	Limit    Limit     `json:"limit"`
	Since    time.Time `json:"since"` // the first of them
	At       time.Time `json:"at"`
}

// PaymentTopic, LimitTopic and AlertTopic are the topics of the fraud topology,
// by the names they have in Kafka. They are keyed by card.
func PaymentTopic(name string) topology.Topic[string, Payment] {
	return topology.NewTopic(name, serde.String, serde.JSON[Payment]())
}

func LimitTopic(name string) topology.Topic[string, Limit] {
	return topology.NewTopic(name, serde.String, serde.JSON[Limit]())
}

func AlertTopic(name string) topology.Topic[string, Alert] {
	return topology.NewTopic(name, serde.String, serde.JSON[Alert]())
}

var (
	limitStore  = store.KeyValue("limits", serde.String, serde.JSON[Limit]())
	recentStore = store.KeyValue("recent", serde.String, serde.JSON[activity]())
)

func buildFraud(topics map[string]string) *topology.Builder {
	b := topology.New()
	limits := b.Table(LimitTopic(topics["limits"]), limitStore)
	b.From(PaymentTopic(topics["payments"])).
		LeftJoinTable(limits, func(_ string, p Payment, l topology.Opt[Limit]) charge {
			return charge{p, l.Or(StandardLimit)}
		}).
		Process("velocity", openVelocity, recentStore).
		To(AlertTopic(topics["alerts"]))
	return b
}

// A charge is a payment with the limit of its card.
type charge struct {
	Payment
	limit Limit
}
