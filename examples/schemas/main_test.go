package main

import (
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
	"github.com/leatstream/leat/pkg/serde/registry"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

const olderSchema = `{"type": "record", "name": "Payment", "namespace": "bank", "fields": [
	{"name": "account", "type": "string"}, {"name": "cents", "type": "int"}]}`

type olderPayment struct {
	Account string `avro:"account"`
	Cents   int32  `avro:"cents"`
}

// A registry inside the test has an older schema and ours. Payments of both add up, to
// what an older version of the service has left in the store.
func TestSums(t *testing.T) {
	t.Parallel()
	fake := srfake.New()
	t.Cleanup(fake.Close)
	for _, text := range []string{olderSchema, paymentSchema} {
		if _, _, err := fake.RegisterSchema("payments-value", sr.Schema{Schema: text}); err != nil {
			t.Fatal(err)
		}
	}
	schemas, err := registry.New(registry.Config{URLs: []string{fake.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	older := topology.NewTopic("payments", serde.String, schemas.Serde(avro.Of[olderPayment](olderSchema), registry.Options{}))

	d := topologytest.New(t, build(schemas))
	d.OpenStore("sums").Put([]byte("A-1"), []byte("1000"), 0)
	d.Send(older, "A-1", olderPayment{"A-1", 250})
	d.Send(payments(schemas), "A-1", Payment{"A-1", 7, "CHF"})
	d.Restart(topologytest.LoseState)
	d.Send(older, "A-1", olderPayment{"A-1", 1})
	got := d.Take(totals)
	if last := got[len(got)-1].Value.Cents; len(got) != 3 || last["EUR"] != 1251 || last["CHF"] != 7 {
		t.Errorf("%v", got)
	}
}
