package avro

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	hamba "github.com/hamba/avro/v2"
	"github.com/linkedin/goavro/v2"
	twmb "github.com/twmb/avro"

	"github.com/leatstream/leat/bench/internal/ratio"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
)

const flatSchema = `{"type":"record","name":"Flat","fields":[
	{"name":"id","type":"long"},{"name":"count","type":"int"},{"name":"price","type":"double"},{"name":"name","type":"string"},
	{"name":"city","type":"string"},{"name":"ratio","type":"float"},{"name":"ok","type":"boolean"},{"name":"seq","type":"long"}]}`

type flat struct {
	ID    int64   `avro:"id"`
	Count int32   `avro:"count"`
	Price float64 `avro:"price"`
	Name  string  `avro:"name"`
	City  string  `avro:"city"`
	Ratio float32 `avro:"ratio"`
	OK    bool    `avro:"ok"`
	Seq   int64   `avro:"seq"`
}

const orderSchema = `{"type":"record","name":"Order","fields":[
	{"name":"id","type":"long"},
	{"name":"customer","type":"string"},
	{"name":"status","type":{"type":"enum","name":"Status","symbols":["NEW","PAID","SENT"]}},
	{"name":"placed","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"comment","type":["null","string"],"default":null},
	{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
		{"name":"article","type":"string"},{"name":"count","type":"int"},{"name":"price","type":"double"},{"name":"weight","type":["null","long"]}]}}},
	{"name":"labels","type":{"type":"map","values":"string"}},
	{"name":"key","type":"bytes"}]}`

// olderSchema is what orders were written with before.
var olderSchema = strings.NewReplacer(
	`{"name":"id","type":"long"},`, `{"name":"legacy","type":"string"},{"name":"id","type":"int"},`,
	`{"name":"comment","type":["null","string"],"default":null},`, ``,
).Replace(orderSchema)

type order struct {
	ID       int64             `avro:"id"`
	Customer string            `avro:"customer"`
	Status   string            `avro:"status"`
	Placed   time.Time         `avro:"placed"`
	Comment  *string           `avro:"comment"`
	Lines    []line            `avro:"lines"`
	Labels   map[string]string `avro:"labels"`
	Key      []byte            `avro:"key"`
}

type line struct {
	Article string  `avro:"article"`
	Count   int32   `avro:"count"`
	Price   float64 `avro:"price"`
	Weight  *int64  `avro:"weight"`
}

func sampleFlat() flat {
	return flat{ID: 1 << 40, Count: 7, Price: 9.75, Name: "a name of some length", City: "Pforzheim", Ratio: 0.5, OK: true, Seq: -12345}
}

func sampleOrder() order {
	o := order{
		ID: 123456789, Customer: "customer-0001234", Status: "PAID", Placed: time.UnixMilli(1763719200123).UTC(), Comment: new("leave it at the door"),
		Labels: map[string]string{"channel": "web", "region": "eu-central"}, Key: []byte("0123456789abcdef"),
	}
	for i := range 5 {
		o.Lines = append(o.Lines, line{Article: fmt.Sprintf("article-%06d", i), Count: int32(i + 1), Price: 19.99, Weight: new(int64(i) * 100)})
	}
	return o
}

// A peer encodes and decodes one type. What it returns is compared once, before it is
// timed: all must do the same work.
type peer[T any] struct {
	name   string
	encode func(dst []byte, v *T) ([]byte, error)
	decode func(src []byte) (T, error)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func peers[T any](schema string) []peer[T] {
	ours, generic := avro.Of[T](schema), avro.Generic(schema)
	theirs, hambas := twmb.MustParse(schema), hamba.MustParse(schema)
	goavros := must(goavro.NewCodec(schema))
	native, values := goavroValue[T](goavros, ours), genericValue[T](generic, ours)
	return []peer[T]{
		{"leat", func(dst []byte, v *T) ([]byte, error) { return ours.Append(dst, *v) }, ours.Decode},
		{"twmb", func(dst []byte, v *T) ([]byte, error) { return theirs.AppendEncode(dst, v) },
			func(src []byte) (v T, err error) { _, err = theirs.Decode(src, &v); return v, err }},
		{"hamba", func(_ []byte, v *T) ([]byte, error) { return hamba.Marshal(hambas, v) },
			func(src []byte) (v T, err error) { err = hamba.Unmarshal(hambas, src, &v); return v, err }},
		{"goavro", func(dst []byte, v *T) ([]byte, error) { return goavros.BinaryFromNative(dst, native(v)) },
			func(src []byte) (v T, err error) { _, _, err = goavros.NativeFromBinary(src); return v, err }},
		{"leat-generic", func(dst []byte, v *T) ([]byte, error) { return generic.Append(dst, values(v)) },
			func(src []byte) (v T, err error) { _, err = generic.Decode(src); return v, err }},
	}
}

// goavroValue returns what goavro has for the last value that was asked for: the maps
// are not made anew while the clock runs.
func goavroValue[T any](codec *goavro.Codec, s serde.Serde[T]) func(*T) any {
	var last *T
	var native any
	return func(v *T) any {
		if v != last {
			native, _, _ = codec.NativeFromBinary(must(s.Append(nil, *v)))
			last = v
		}
		return native
	}
}

func genericValue[T any](codec *avro.Codec[any], s serde.Serde[T]) func(*T) any {
	var last *T
	var value any
	return func(v *T) any {
		if v != last {
			value, last = must(codec.Decode(must(s.Append(nil, *v)))), v
		}
		return value
	}
}

// TestPeersAgree holds that all decode what leat encodes, and leat what they encode, to
// the same value. The bytes differ: in the order of maps, and in the form of blocks.
func TestPeersAgree(t *testing.T) {
	agree(t, peers[flat](flatSchema), sampleFlat())
	agree(t, peers[order](orderSchema), sampleOrder())
}

func agree[T any](t *testing.T, peers []peer[T], v T) {
	t.Helper()
	enc := must(peers[0].encode(nil, &v))
	for _, p := range peers {
		theirs, err := p.encode(nil, &v)
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if got, err := peers[0].decode(theirs); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s encodes what is %+v, %v for leat; want %+v", p.name, got, err, v)
		}
		got, err := p.decode(enc)
		if strings.HasPrefix(p.name, "goavro") || strings.HasSuffix(p.name, "generic") {
			continue // they make maps
		}
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s: %+v, %v; want %+v", p.name, got, err, v)
		}
	}
}

func TestMain(m *testing.M) { ratio.Main(m) }

func compare[T any](b *testing.B, name string, peers []peer[T], v T) {
	enc := must(peers[0].encode(nil, &v))
	buf := make([]byte, 0, 4096)
	for _, p := range peers {
		ratio.Measure(b, name+"-encode", p.name, func() { must(p.encode(buf, &v)) })
	}
	for _, p := range peers {
		ratio.Measure(b, name+"-decode", p.name, func() { must(p.decode(enc)) })
	}
}

func BenchmarkFlat(b *testing.B) { compare(b, "flat", peers[flat](flatSchema), sampleFlat()) }

func BenchmarkOrder(b *testing.B) { compare(b, "order", peers[order](orderSchema), sampleOrder()) }

// BenchmarkOlder reads what was written with an older schema. goavro cannot.
func BenchmarkOlder(b *testing.B) {
	v := sampleOrder()
	enc := must(avro.Of[order](orderSchema).Append(nil, v))
	enc = must(avro.Generic(olderSchema).Append(nil, older(enc)))
	old := serde.Schema{Text: olderSchema}
	ours, generic := must(avro.Of[order](orderSchema).Reader(old)), must(avro.Generic(orderSchema).Reader(old))
	theirs := must(twmb.Resolve(twmb.MustParse(olderSchema), twmb.MustParse(orderSchema)))
	hambas := must(hamba.NewSchemaCompatibility().Resolve(hamba.MustParse(orderSchema), hamba.MustParse(olderSchema)))
	ratio.Measure(b, "older-decode", "leat", func() { must(ours(enc)) })
	ratio.Measure(b, "older-decode", "twmb", func() {
		var o order
		must(theirs.Decode(enc, &o))
	})
	ratio.Measure(b, "older-decode", "hamba", func() {
		var o order
		if err := hamba.Unmarshal(hambas, enc, &o); err != nil {
			b.Fatal(err)
		}
	})
	ratio.Measure(b, "older-decode", "leat-generic", func() { must(generic(enc)) })
}

func older(enc []byte) any {
	v := must(avro.Generic(orderSchema).Decode(enc)).(map[string]any)
	delete(v, "comment")
	v["legacy"] = "something that is skipped"
	return v
}
