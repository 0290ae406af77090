package integration

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/structpb"

	realregistry "github.com/leatstream/leat/integration/registry"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
	"github.com/leatstream/leat/pkg/serde/protobuf"
	"github.com/leatstream/leat/pkg/serde/registry"
)

// What writers and readers of topics have that were made before the service: orders have no currency, and of what
// comes out only the sum is of interest, by the name it had.
const (
	olderOrder = `{"type":"record","name":"Order","namespace":"shop","fields":[
		{"name":"id","type":"string"},{"name":"customer","type":"string"},
		{"name":"placed","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
			{"name":"article","type":"string"},{"name":"quantity","type":"int"},{"name":"cents","type":"long"}]}}}]}`
	olderEnriched = `{"type":"record","name":"EnrichedOrder","namespace":"shop","fields":[
		{"name":"id","type":"string"},{"name":"sum","aliases":["cents"],"type":"double"},{"name":"paid","type":"boolean","default":false}]}`
	customer = `{"type":"record","name":"Customer","namespace":"shop","fields":[{"name":"name","type":"string"},{"name":"country","type":"string"}]}`
)

type order struct {
	ID       string    `avro:"id"`
	Customer string    `avro:"customer"`
	Placed   time.Time `avro:"placed"`
	Lines    []line    `avro:"lines"`
}

type line struct {
	Article  string `avro:"article"`
	Quantity int    `avro:"quantity"`
	Cents    int64  `avro:"cents"`
}

type shopper struct {
	Name    string `avro:"name"`
	Country string `avro:"country"`
}

type enriched struct {
	ID   string  `avro:"id"`
	Sum  float64 `avro:"sum"`
	Paid bool    `avro:"paid"`
}

// TestSchemas: with a real registry, orders that were written with an older schema are processed with the service's and
// read with an older one again; Java writes them, too, and reads what comes out; and the same for Protobuf, without a
// service between.
func TestSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t, "schemas", 2)
	url := realregistry.Start(t, f.seeds)
	s := &schemas{fixture: f, url: url, customers: f.app + "-customers"}
	f.must(f.topics.Create(f.ctx, 2, s.customers))
	var err error
	s.client, err = registry.New(registry.Config{URLs: []string{url}})
	f.must(err)
	t.Cleanup(s.client.Close)

	s.write(s.customers, serde.Value, avro.Of[shopper](customer), map[string]shopper{"c-0": {"Ada", "AT"}, "c-1": {"Grace", "US"}})
	orders := map[string]order{}
	for i := range 10 {
		orders[fmt.Sprint("g-", i)] = order{fmt.Sprint("g-", i), "c-0", time.UnixMilli(1), []line{{"a", 3, int64(i)}}}
	}
	s.write(f.in, serde.Value, avro.Of[order](olderOrder), orders)
	p := f.start(f.processor("a", "orders-avro", "--topics.orders="+f.in, "--topics.customers="+s.customers,
		"--topics.enriched="+f.out, "--registry.urls="+url, "--registry.register=always"))
	s.read(10)
	t.Run("java avro", s.javaAvro)
	t.Run("java protobuf", s.javaProtobuf)
	t.Run("header form", s.headerForm)
	f.must(p.Stop(f.ctx))
}

type schemas struct {
	*fixture
	url       string
	client    *registry.Client
	customers string
}

// write writes records as their schemas' owner would.
func (s *schemas) write[T any](topic string, part serde.Part, format serde.Schematic[T], values map[string]T) {
	s.Helper()
	out := serde.At(s.client.Serde(format, registry.Options{Register: registry.Always}), serde.Place{Topic: topic, Part: part})
	for k, v := range values {
		b, err := out.Append(nil, v)
		s.must(err)
		s.must(s.topics.Client.ProduceSync(s.ctx, &kgo.Record{Topic: topic, Key: []byte(k), Value: b}).FirstErr())
	}
}

// read reads n enriched orders with the older schema.
func (s *schemas) read(n int) {
	s.Helper()
	in := serde.At(s.client.Serde(avro.Of[enriched](olderEnriched), registry.Options{}), serde.Place{Topic: s.out, Part: serde.Value})
	reader, err := s.topics.Reader(s.out)
	s.must(err)
	defer reader.Close()
	seen := map[string]bool{}
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	for len(seen) < n {
		records, err := reader.Next(ctx)
		s.must(err)
		for _, r := range records {
			v, err := in.Decode(r.Value)
			s.must(err)
			var i int
			if _, err := fmt.Sscanf(v.ID, "g-%d", &i); err != nil || v.Sum != float64(3*i) || string(r.Key) != "c-0" || seen[v.ID] {
				s.Fatalf("%s: %+v", r.Key, v)
			}
			seen[v.ID] = true
		}
	}
}

// javaAvro: Java's orders come out, and Java can read all that did.
func (s *schemas) javaAvro(t *testing.T) {
	api := strings.TrimSuffix(s.url, "/ccompat/v7") + "/registry/v3"
	peer(t, "produce-avro", s.seeds[0], s.in, api, strings.Join(strings.Fields(olderOrder), ""))
	out := peer(t, "consume-avro", s.seeds[0], s.out, api, "20")
	for i := range 10 {
		name := map[int]string{0: `"Ada"`, 1: `"Grace"`, 2: "null"}[i%3]
		want := fmt.Sprintf(`"id": "o-%d", "customer": "c-%d"`, i, i%3)
		j := strings.Index(out, want)
		if j < 0 || !strings.Contains(out[j:strings.IndexByte(out[j:], '\n')+j], fmt.Sprintf(`"cents": %d, "currency": "EUR", "name": %s`, 2*(100+i), name)) {
			t.Errorf("order %d is not as it should be in:\n%s", i, out)
		}
	}
}

// javaProtobuf: what Java has written is read, and what is written is read by Java. The message is not the first of its
// file, so that its place is more than a 0.
func (s *schemas) javaProtobuf(t *testing.T) {
	topic := s.app + "-lists"
	s.must(s.topics.Create(s.ctx, 1, topic))
	format := protobuf.New[*structpb.ListValue]()
	list, err := structpb.NewList([]any{"from Go", 7})
	s.must(err)
	s.write(topic, serde.Value, format, map[string]*structpb.ListValue{"go": list})
	lists := serde.At(s.client.Serde(format, registry.Options{}), serde.Place{Topic: topic, Part: serde.Value})
	b, err := lists.Append(nil, list)
	s.must(err)
	id := int(b[1])<<24 | int(b[2])<<16 | int(b[3])<<8 | int(b[4])
	peer(t, "produce-protobuf", s.seeds[0], topic, fmt.Sprint(id))
	if out := peer(t, "consume-protobuf", s.seeds[0], topic, "11"); !strings.Contains(out, "go [from Go, 7.0]\n") {
		t.Errorf("Java has read:\n%s", out)
	}
	n := 0
	s.must(s.topics.All(s.ctx, topic, func(r *kgo.Record) error {
		v, err := lists.Decode(r.Value)
		if err == nil && string(r.Key) != "go" && v.Values[0].GetStringValue() != string(r.Key) {
			err = fmt.Errorf("%s: %v", r.Key, v)
		}
		n++
		return err
	}))
	if n != 11 {
		t.Errorf("%d lists", n)
	}
}

// headerForm: a schema is named by its GUID if the registry has GUIDs; if it has none, as Apicurio 3.3, a service that is
// to do so does not start.
func (s *schemas) headerForm(t *testing.T) {
	form := s.client.Serde(avro.Of[shopper](customer), registry.Options{Form: registry.Header})
	at := serde.At(form, serde.Place{Topic: s.customers, Part: serde.Value})
	if err := serde.Start(s.ctx, serde.Reads|serde.Writes, at); err != nil {
		if !strings.Contains(err.Error(), "the registry gives it no GUID") {
			t.Error(err)
		}
		t.Log("the registry has no GUIDs: what is written with them is not tested here")
		return
	}
	want, h := shopper{"Ada", "AT"}, headers{}
	b, err := at.(serde.HeaderAppender[shopper]).AppendRecord(nil, want, h)
	s.must(err)
	other, err := registry.New(registry.Config{URLs: []string{s.url}}) // which has to ask for the GUID
	s.must(err)
	defer other.Close()
	reader := serde.At(other.Serde(avro.Of[shopper](customer), registry.Options{}), serde.Place{Topic: s.customers, Part: serde.Value})
	if got, err := reader.(serde.HeaderDecoder[shopper]).DecodeRecord(b, h); err != nil || got != want || len(h) != 0 {
		t.Errorf("%v %v %v", got, h, err)
	}
}

// headers are those of one record.
type headers map[string][]byte

func (h headers) Get(key string) ([]byte, bool) { v, ok := h[key]; return v, ok }
func (h headers) Set(key string, value []byte)  { h[key] = value }
func (h headers) Delete(key string)             { delete(h, key) }

// peer runs the Java program, and returns what it prints. Without Maven the test is skipped.
func peer(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("mvn"); err != nil {
		t.Skip("SKIPPED: Java's records: no Maven")
	}
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + a + "'"
	}
	cmd := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "-ntp", "-Dstyle.color=never", "compile", "exec:java", "-Dexec.args="+strings.Join(quoted, " "))
	cmd.Dir = "java"
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args[0], err, out, log.Bytes())
	}
	return string(out)
}
