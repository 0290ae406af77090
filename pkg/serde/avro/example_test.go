package avro_test

import (
	"fmt"
	"math/big"
	"time"

	"github.com/leatstream/leat/pkg/serde/avro"
)

const paymentV1 = `{"type": "record", "name": "Payment", "namespace": "bank", "fields": [
	{"name": "account", "type": "string"},
	{"name": "cents", "type": "int"}]}`

const paymentV2 = `{"type": "record", "name": "Payment", "namespace": "bank", "fields": [
	{"name": "cents", "type": "long"},
	{"name": "iban", "aliases": ["account"], "type": "string"},
	{"name": "currency", "type": "string", "default": "EUR"}]}`

type Payment struct {
	Cents    int64
	IBAN     string
	Currency string
}

func ExampleOf() {
	type Reading struct {
		Sensor string    `avro:"sensor"`
		At     time.Time `avro:"at"`
		Value  *big.Rat  `avro:"value"` // nil for null
	}
	readings := avro.Of[Reading](`{"type": "record", "name": "Reading", "fields": [
		{"name": "sensor", "type": "string"},
		{"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
		{"name": "value", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}]}]}`)

	b, err := readings.Append(nil, Reading{"door", time.UnixMilli(1763719200000), big.NewRat(2150, 100)})
	fmt.Printf("%x %v\n", b, err)

	r, err := readings.Decode(b)
	fmt.Println(r.Sensor, r.At, r.Value.FloatString(2), err)

	_, err = readings.Decode(b[:7])
	fmt.Println(err)

	fmt.Println(avro.Of[int]("string").Err())
	// Output:
	// 08646f6f7280f4d9ddd46602040866 <nil>
	// door 2025-11-21 10:00:00 +0000 UTC 21.50 <nil>
	// decode avro_test.Reading: want Avro, got 7 bytes: Reading: at: the data ends in the middle of a value
	// avro: int by the schema string:
	// string and Go's int do not go together; want a string
}

// What was written with another schema is read by the rules of the specification.
func ExampleCodec_Reader() {
	type Old struct {
		Account string
		Cents   int
	}
	old := avro.Of[Old](paymentV1)
	payments := avro.Of[Payment](paymentV2)

	b, _ := old.Append(nil, Old{"DE02", 1250})
	read, err := payments.Reader(old.Schema())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read(b))
	// Output: {1250 DE02 EUR} <nil>
}

// Single objects say themselves by which schema they were written.
func ExampleCodec_SingleObject() {
	type Old struct {
		Account string
		Cents   int
	}
	old := avro.Of[Old](paymentV1).SingleObject()
	payments := avro.Of[Payment](paymentV2).SingleObject(paymentV1)

	b, _ := old.Append(nil, Old{"DE02", 1250})
	fmt.Printf("%x\n", b[:2])
	fmt.Println(payments.Decode(b))
	// Output:
	// c301
	// {1250 DE02 EUR} <nil>
}

func ExampleGeneric() {
	payments := avro.Generic(paymentV2)
	b, err := payments.Append(nil, map[string]any{"cents": 1250, "iban": "DE02"})
	fmt.Printf("%x %v\n", b, err)
	v, err := payments.Decode(b)
	fmt.Println(v, err)
	// Output:
	// c413084445303206455552 <nil>
	// map[cents:1250 currency:EUR iban:DE02] <nil>
}

// A union of several types is a struct with a pointer for each.
func ExampleOf_union() {
	type Mail struct{ Address string }
	type Phone struct{ Number string }
	type Contact struct {
		Mail  *Mail
		Phone *Phone
	}
	contacts := avro.Of[Contact](`["null",
		{"type": "record", "name": "Mail", "fields": [{"name": "address", "type": "string"}]},
		{"type": "record", "name": "Phone", "fields": [{"name": "number", "type": "string"}]}]`)
	b, err := contacts.Append(nil, Contact{Phone: &Phone{"555"}})
	fmt.Printf("%x %v\n", b, err)
	c, err := contacts.Decode(b)
	fmt.Println(c.Mail, c.Phone.Number, err)
	// Output:
	// 0406353535 <nil>
	// <nil> 555 <nil>
}

func ExampleCompatible() {
	v1, _ := avro.Parse(paymentV1)
	v2, _ := avro.Parse(paymentV2)
	fmt.Println(avro.Compatible(v1, v2))
	for _, d := range avro.Compatible(v2, v1) {
		fmt.Println(d)
	}
	// Output:
	// []
	// cents: long: the reader has int
	// account: the writer has no such field, and the reader has no default
}
