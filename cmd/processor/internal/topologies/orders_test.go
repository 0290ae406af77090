package topologies

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/leatstream/leat/pkg/serde/registry"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

func TestOrders(t *testing.T) {
	t.Parallel()
	fake := srfake.New()
	t.Cleanup(fake.Close)
	client, err := registry.New(registry.Config{URLs: []string{fake.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	s := Schemas{client, registry.Always}
	d := topologytest.New(t, orders.With(s).Builder(orders.Defaults()))
	at := time.UnixMilli(1_700_000_000_000).UTC()
	d.Send(CustomerTopic(s, "customers"), "c-1", Customer{"Ada", "AT"})
	d.Send(OrderTopic(s, "orders"), "o-1", Order{ID: "o-1", Customer: "c-1", Placed: at, Currency: "EUR", Lines: []OrderLine{{"a", 2, 150}, {"b", 1, 99}}})
	d.Send(OrderTopic(s, "orders"), "o-2", Order{ID: "o-2", Customer: "c-2", Placed: at, Currency: "USD"})
	got := d.Take(EnrichedOrderTopic(s, "enriched-orders"))
	if len(got) != 2 {
		t.Fatalf("%v", got)
	}
	if o := got[0].Value; got[0].Key != "c-1" || o.ID != "o-1" || o.Cents != 399 || o.Name == nil || *o.Name != "Ada" || !o.Placed.Equal(at) {
		t.Errorf("%+v", o)
	}
	if o := got[1].Value; o.Name != nil || o.Currency != "USD" {
		t.Errorf("%+v", o)
	}
	for _, subject := range []string{"orders-value", "test-orders-by-customer-repartition-value", "test-customers-changelog-value", "enriched-orders-value"} {
		if !fake.SubjectExists(subject) {
			t.Errorf("there is no subject %s", subject)
		}
	}
	d.Restart(topologytest.LoseState)
}
