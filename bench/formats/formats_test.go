package formats

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/bytedance/sonic"
	gojson "github.com/goccy/go-json"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"google.golang.org/protobuf/proto"

	"github.com/leatstream/leat/bench/formats/orderpb"
	"github.com/leatstream/leat/bench/internal/ratio"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/jsonschema"
	"github.com/leatstream/leat/pkg/serde/protobuf"
	"github.com/leatstream/leat/pkg/serde/registry"
)

// A peer is one library with its functions as its documentation has them.
type peer[T any] struct {
	name   string
	encode func(dst []byte, v T) ([]byte, error)
	decode func(src []byte) (T, error)
}

func leat[T any](name string, s serde.Serde[T]) peer[T] { return peer[T]{name, s.Append, s.Decode} }

type order struct {
	ID       string            `json:"id"`
	Customer string            `json:"customer"`
	Lines    []line            `json:"lines"`
	State    int               `json:"state"`
	Paid     bool              `json:"paid"`
	Labels   map[string]string `json:"labels"`
}

type line struct {
	Article string  `json:"article"`
	Cents   int64   `json:"cents"`
	Weight  float64 `json:"weight"`
}

func sample() order {
	o := order{ID: "o-00001234", Customer: "c-00000017", State: 2, Paid: true, Labels: map[string]string{"channel": "web", "campaign": "spring"}}
	for i := range 5 {
		o.Lines = append(o.Lines, line{fmt.Sprint("article-", i), int64(100 * i), 0.5})
	}
	return o
}

func jsonPeers() []peer[order] {
	return []peer[order]{
		leat("leat", serde.JSON[order]()),
		{"encoding/json", func(_ []byte, v order) ([]byte, error) { return json.Marshal(&v) },
			func(src []byte) (v order, err error) { err = json.Unmarshal(src, &v); return v, err }},
		{"goccy", func(_ []byte, v order) ([]byte, error) { return gojson.Marshal(&v) },
			func(src []byte) (v order, err error) { err = gojson.Unmarshal(src, &v); return v, err }},
		{"sonic", func(_ []byte, v order) ([]byte, error) { return sonic.ConfigStd.Marshal(&v) },
			func(src []byte) (v order, err error) { err = sonic.ConfigStd.Unmarshal(src, &v); return v, err }},
	}
}

const schema = `{"type":"object","required":["id","customer"],"properties":{"id":{"type":"string","pattern":"^o-"},
	"lines":{"type":"array","items":{"type":"object","properties":{"cents":{"type":"integer","minimum":0}}}}}}`

func message() *orderpb.Order {
	m := &orderpb.Order{Id: "o-00001234", Customer: "c-00000017", State: orderpb.State_STATE_PAID, Payment: &orderpb.Order_Card{Card: "4711"}, Codes: []int32{1, 2, 3}}
	for i := range 5 {
		m.Lines = append(m.Lines, &orderpb.Order_Line{Article: fmt.Sprint("article-", i), Cents: int64(100 * i)})
	}
	return m
}

func protobufPeers() []peer[*orderpb.Order] {
	return []peer[*orderpb.Order]{
		leat("leat", protobuf.New[*orderpb.Order]()),
		{"proto", func(dst []byte, v *orderpb.Order) ([]byte, error) {
			return proto.MarshalOptions{}.MarshalAppend(dst, v)
		},
			func(src []byte) (*orderpb.Order, error) {
				v := new(orderpb.Order)
				return v, proto.Unmarshal(src, v)
			}},
		{"vtprotobuf", func(_ []byte, v *orderpb.Order) ([]byte, error) { return v.MarshalVT() },
			func(src []byte) (*orderpb.Order, error) {
				v := new(orderpb.Order)
				return v, v.UnmarshalVT(src)
			}},
	}
}

// registryPeers frame Protobuf, which is what each of them adds to it.
func registryPeers(tb testing.TB) []peer[*orderpb.Order] {
	fake := srfake.New()
	tb.Cleanup(fake.Close)
	client := must(registry.New(registry.Config{URLs: []string{fake.URL()}}))
	tb.Cleanup(client.Close)
	format := protobuf.New[*orderpb.Order]()
	ours := serde.At(client.Serde(format, registry.Options{Register: registry.Always}), serde.Place{Topic: "t", Part: serde.Value})
	id := must(ours.Append(nil, message()))[4]
	var theirs sr.Serde
	theirs.Register(int(id), &orderpb.Order{}, sr.Index(format.Schema().Index...),
		sr.AppendEncodeFn(func(dst []byte, v any) ([]byte, error) { return format.Append(dst, v.(*orderpb.Order)) }),
		sr.DecodeFn(func(src []byte, v any) error { return proto.Unmarshal(src, v.(*orderpb.Order)) }))
	return []peer[*orderpb.Order]{
		leat("leat", ours),
		leat("unframed", format),
		{"franz-go/sr", func(dst []byte, v *orderpb.Order) ([]byte, error) { return theirs.AppendEncode(dst, v) },
			func(src []byte) (*orderpb.Order, error) {
				v := new(orderpb.Order)
				return v, theirs.Decode(src, v)
			}},
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What one library writes the others read.
func TestPeersAgree(t *testing.T) {
	for _, p := range jsonPeers() {
		if v, err := p.decode(must(jsonPeers()[0].encode(nil, sample()))); err != nil || fmt.Sprint(v) != fmt.Sprint(sample()) {
			t.Errorf("%s: %v %v", p.name, v, err)
		}
	}
	for _, peers := range [][]peer[*orderpb.Order]{protobufPeers(), registryPeers(t)} {
		for _, p := range peers {
			enc := must(peers[0].encode(nil, message()))
			if p.name == "unframed" {
				continue
			}
			if v, err := p.decode(enc); err != nil || !proto.Equal(v, message()) {
				t.Errorf("%s: %v %v", p.name, v, err)
			}
		}
	}
}

func TestMain(m *testing.M) { ratio.Main(m) }

func compare[T any](b *testing.B, name string, peers []peer[T], v T) {
	buf := make([]byte, 0, 4096)
	for _, p := range peers {
		ratio.Measure(b, name+"-encode", p.name, func() { must(p.encode(buf, v)) })
	}
	for _, p := range peers {
		enc := must(p.encode(nil, v))
		ratio.Measure(b, name+"-decode", p.name, func() { must(p.decode(enc)) })
	}
}

func BenchmarkJSON(b *testing.B) { compare(b, "json", jsonPeers(), sample()) }

// BenchmarkValidation is what a JSON Schema costs.
func BenchmarkValidation(b *testing.B) {
	validated := must(jsonschema.New[order](schema, nil))
	compare(b, "jsonschema", []peer[order]{leat("leat", validated), leat("unvalidated", serde.JSON[order]())}, sample())
}

func BenchmarkProtobuf(b *testing.B) { compare(b, "protobuf", protobufPeers(), message()) }

func BenchmarkRegistry(b *testing.B) { compare(b, "registry", registryPeers(b), message()) }
