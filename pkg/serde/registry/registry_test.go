package registry

import (
	"encoding/json/v2"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/serdetest"
)

// text is a format for tests: a record of one field that is called and defaulted as the
// schema says. Values are written as they are, and who reads another field than was
// written reads its default.
type text struct{ field, preset string }

type textSchema struct {
	Type   string      `json:"type"`
	Name   string      `json:"name"`
	Fields []textField `json:"fields"`
}

type textField struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default string `json:"default,omitempty"`
}

func (f text) Schema() serde.Schema {
	b, err := json.Marshal(textSchema{"record", "test.Text", []textField{{f.field, "string", f.preset}}})
	if err != nil {
		panic(err)
	}
	return serde.Schema{Name: "test.Text", Text: string(b)}
}

func (f text) Append(dst []byte, v string) ([]byte, error) {
	if v == "" {
		return nil, nil
	}
	return append(dst, v...), nil
}

func (f text) Decode(src []byte) (string, error) {
	if len(src) == 0 {
		return "", errors.New("empty")
	}
	return string(src), nil
}

func (f text) Reader(w serde.Schema) (func([]byte) (string, error), error) {
	var s textSchema
	if err := json.Unmarshal([]byte(w.Text), &s); err != nil || len(s.Fields) != 1 {
		return nil, fmt.Errorf("not a schema: %w", err)
	}
	switch {
	case s.Fields[0].Name == f.field:
		return f.Decode, nil
	case f.preset == "":
		return nil, fmt.Errorf("field %q has no default", f.field)
	}
	return func([]byte) (string, error) { return f.preset, nil }, nil
}

// A rig is a registry and a client of it.
type rig struct {
	*testing.T
	fake     *srfake.Registry
	client   *Client
	requests atomic.Int64
	down     atomic.Bool
}

func setup(t *testing.T, edit ...func(*Config)) *rig {
	r := &rig{T: t, fake: srfake.New()}
	t.Cleanup(r.fake.Close)
	r.fake.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		r.requests.Add(1)
		if r.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return r.down.Load()
	})
	r.client = r.another(edit...)
	return r
}

// another is a client of the same registry: another process. It does not wait for long if
// the registry is down already.
func (r *rig) another(edit ...func(*Config)) *Client {
	r.Helper()
	cfg := Config{URLs: []string{r.fake.URL()}, Wait: time.Minute, Logger: slog.New(slog.DiscardHandler)}
	if r.down.Load() {
		cfg.Wait = 500 * time.Millisecond
	}
	for _, e := range edit {
		e(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(c.Close)
	return c
}

func (r *rig) seed(subject string, f text) {
	r.Helper()
	if _, _, err := r.fake.RegisterSchema(subject, wire(f.Schema(), nil)); err != nil {
		r.Fatal(err)
	}
}

var inValue = serde.Place{Topic: "in", Part: serde.Value}

func TestConformance(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.seed("in-value", text{field: "a"})
	serdetest.Run(t, serde.At(r.client.Serde(text{field: "a"}, Options{}), inValue), "x", "some text")
	serdetest.RunNull(t, serde.At(r.client.Serde(text{field: "a"}, Options{}), inValue), "")
	if n := r.requests.Load(); n > 5 {
		t.Errorf("the registry was asked %d times", n)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.fake.SeedSchema("in-value", 1, 258, wire(text{field: "a"}.Schema(), nil))
	b, err := serde.At(r.client.Serde(text{field: "a"}, Options{}), inValue).Append([]byte("."), "x")
	if err != nil || string(b) != ".\x00\x00\x00\x01\x02x" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	key := serde.Place{Topic: "in", Part: serde.Key}
	for _, c := range []struct {
		subject Strategy
		place   serde.Place
		want    string
	}{
		{TopicName, inValue, "in-value"},
		{TopicName, key, "in-key"},
		{RecordName, inValue, "test.Text"},
		{RecordName, serde.Place{}, "test.Text"},
		{TopicRecordName, key, "in-test.Text"},
	} {
		r := setup(t)
		r.seed(c.want, text{field: "a"})
		if _, err := serde.At(r.client.Serde(text{field: "a"}, Options{Subject: c.subject}), c.place).Append(nil, "x"); err != nil {
			t.Error(err)
		}
	}
	r := setup(t)
	if _, err := r.client.Serde(text{field: "a"}, Options{}).Append(nil, "x"); err == nil || !strings.Contains(err.Error(), "use serde.At") {
		t.Errorf("outside of a topic: %v", err)
	}
}

// What another process wrote with another schema is resolved to ours.
func TestOtherSchema(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.seed("in-value", text{field: "a"})
	old := serde.At(r.client.Serde(text{field: "a"}, Options{}), inValue)
	b, err := old.Append(nil, "x")
	if err != nil {
		t.Fatal(err)
	}
	v, err := serde.At(r.another().Serde(text{field: "b", preset: "preset"}, Options{}), inValue).Decode(b)
	if err != nil || v != "preset" {
		t.Errorf("%q, %v", v, err)
	}
	_, err = serde.At(r.another().Serde(text{field: "c"}, Options{}), inValue).Decode(b)
	if !errors.Is(err, ErrIncompatible) || !strings.Contains(err.Error(), `schema id 1, subject "in-value"`) {
		t.Errorf("%v", err)
	}
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	internal := serde.Place{Topic: "app-s-changelog", Part: serde.Value, Internal: true}
	for _, c := range []struct {
		allowed Registration
		place   serde.Place
		want    bool
	}{{Never, inValue, false}, {Never, internal, false}, {Internal, inValue, false}, {Internal, internal, true}, {Always, inValue, true}} {
		r := setup(t)
		_, err := serde.At(r.client.Serde(text{field: "a"}, Options{Register: c.allowed}), c.place).Append(nil, "x")
		if got := r.fake.SubjectExists(TopicName(c.place, "")); got != c.want || (err == nil) != c.want || err != nil && !errors.Is(err, ErrNotRegistered) {
			t.Errorf("%v, %+v: %t, %v", c.allowed, c.place, got, err)
		}
	}
}

// A schema is found although it is written in another way.
func TestSame(t *testing.T) {
	t.Parallel()
	r := setup(t)
	spaced := text{field: "a"}.Schema()
	spaced.Text = strings.Replace(spaced.Text, `"type":"record"`, `"type":"record", "doc":"a text"`, 1)
	if _, _, err := r.fake.RegisterSchema("in-value", wire(spaced, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := serde.At(r.client.Serde(text{field: "a"}, Options{}), inValue).Append(nil, "x"); !errors.Is(err, ErrNotRegistered) {
		t.Errorf("%v", err)
	}
	if _, err := serde.At(r.client.Serde(tolerant{text{field: "a"}}, Options{}), inValue).Append(nil, "x"); err != nil {
		t.Error(err)
	}
}

// tolerant takes a schema with the same field for the same.
type tolerant struct{ text }

func (f tolerant) Same(s serde.Schema) bool {
	_, err := text{field: f.field}.Reader(s)
	return err == nil
}

// records are the headers of one record.
type records map[string][]byte

func (h records) Get(key string) ([]byte, bool) { v, ok := h[key]; return v, ok }
func (h records) Set(key string, value []byte)  { h[key] = value }
func (h records) Delete(key string)             { delete(h, key) }

func TestHeaderForm(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.seed("in-value", text{field: "a"})
	r.seed("in-key", text{field: "a"})
	for part, name := range map[serde.Part]string{serde.Key: "__key_schema_id", serde.Value: "__value_schema_id"} {
		s := serde.At(r.client.Serde(text{field: "a"}, Options{Form: Header}), serde.Place{Topic: "in", Part: part})
		h := records{"other": nil}
		b, err := s.(serde.HeaderAppender[string]).AppendRecord([]byte("."), "x", h)
		if err != nil || string(b) != ".x" || len(h[name]) != 17 || h[name][0] != 1 {
			t.Fatalf("%q %v %v", b, h, err)
		}
		// A process that writes the other form reads this one.
		v, err := serde.At(r.another().Serde(text{field: "a"}, Options{}), serde.Place{Topic: "in", Part: part}).(serde.HeaderDecoder[string]).DecodeRecord(b[1:], h)
		if err != nil || v != "x" || len(h) != 1 {
			t.Errorf("%q %v %v", v, h, err)
		}
		// Without headers, as in a store, it is the prefix that names the schema, and
		// with headers it may be.
		if b, err = s.Append(nil, "x"); err != nil || len(b) != 6 {
			t.Errorf("%q %v", b, err)
		}
		if v, err := s.(serde.HeaderDecoder[string]).DecodeRecord(b, records{"other": nil}); err != nil || v != "x" {
			t.Errorf("%q %v", v, err)
		}
		h = records{name: []byte{1, 2}}
		if _, err = s.(serde.HeaderDecoder[string]).DecodeRecord(b, h); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v", err)
		}
	}
	internal := serde.At(r.client.Serde(text{field: "a"}, Options{Form: Header}), serde.Place{Topic: "in", Part: serde.Value, Internal: true})
	if _, ok := internal.(serde.HeaderAppender[string]); ok {
		t.Error("an internal topic has the header form")
	}
}

// When the registry is away, what is known works, and what is not waits.
func TestAway(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.seed("in-value", text{field: "a"})
	s := serde.At(r.client.Serde(text{field: "a"}, Options{}), inValue)
	b, err := s.Append(nil, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Decode(b); err != nil {
		t.Fatal(err)
	}
	r.seed("in-value", text{field: "b", preset: "x"})
	r.down.Store(true)
	if _, err = s.Append(nil, "y"); err != nil {
		t.Error(err)
	}
	if _, err = s.Decode(b); err != nil {
		t.Error(err)
	}
	unknown := append([]byte{0, 0, 0, 0, 2}, "z"...)
	start := time.Now()
	_, err = serde.At(r.another().Serde(text{field: "a"}, Options{}), inValue).Decode(unknown)
	if !errors.Is(err, serde.ErrUnavailable) || time.Since(start) < 400*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	for _, part := range []string{"schema id 2", `subject "in-value"`, r.fake.URL(), "no answer within 500ms"} {
		if err != nil && !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	time.AfterFunc(200*time.Millisecond, func() { r.down.Store(false) })
	if v, err := serde.At(r.client.Serde(text{field: "b", preset: "x"}, Options{}), inValue).Decode(unknown); err != nil || v != "z" {
		t.Errorf("%q %v", v, err)
	}
	r.client.Close()
	if _, err := s.Decode(b); err != nil {
		t.Errorf("closed: %v", err)
	}
}

// An id that the registry does not have is the record's fault, and it is not asked for
// every record.
func TestUnknownID(t *testing.T) {
	t.Parallel()
	r := setup(t)
	s := serde.At(r.client.Serde(text{field: "a"}, Options{}), inValue)
	for range 100 {
		if _, err := s.Decode([]byte{0, 0, 0, 0, 9, 'x'}); err == nil || errors.Is(err, serde.ErrUnavailable) || !strings.Contains(err.Error(), "schema id 9") {
			t.Fatal(err)
		}
	}
	if n := r.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	for i := range 3 * maxUnreadable { // no more than so many are kept
		s.(*placed[string]).remember(fmt.Sprint(i), reading[string]{err: errShort})
	}
	if n := len(*s.(*placed[string]).known.Load()); n > maxUnreadable {
		t.Errorf("%d kept", n)
	}
	for _, bad := range []string{"", "\x00", "\x00\x00\x00\x00", "\x01\x00\x00\x00\x01x", "\x02\x00\x00\x00\x01x", "{}"} {
		var typed *serde.DecodeError
		if _, err := s.Decode([]byte(bad)); !errors.As(err, &typed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	r := setup(t)
	s := func(f text, o Options) serde.Starter {
		return serde.At(r.another().Serde(f, o), inValue).(serde.Starter)
	}
	a, c := text{field: "a"}, text{field: "c"}
	if err := s(a, Options{}).Start(t.Context(), serde.Reads); err != nil {
		t.Errorf("nobody has written: %v", err)
	}
	if err := s(a, Options{}).Start(t.Context(), serde.Writes); !errors.Is(err, ErrNotRegistered) || !strings.Contains(err.Error(), "there is no such subject") {
		t.Errorf("%v", err)
	}
	if err := s(a, Options{Register: Always, Form: Header}).Start(t.Context(), serde.Reads|serde.Writes); err != nil {
		t.Error(err)
	}
	err := s(c, Options{}).Start(t.Context(), serde.Reads)
	want := `"in-value", registry ` + r.fake.URL() + `: incompatible with version 1, id 1, of which there are records or will be: field "c" has no default; the difference:`
	if !errors.Is(err, ErrIncompatible) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "  -       \"name\": \"a\"") || !strings.Contains(err.Error(), "  +       \"name\": \"c\"") {
		t.Errorf("%v", err)
	}
	if err := s(c, Options{}).Start(t.Context(), serde.Writes); !errors.Is(err, ErrNotRegistered) || !strings.Contains(err.Error(), "the difference from version 1, id 1:\n") {
		t.Errorf("%v", err)
	}
	r.down.Store(true)
	if err := s(a, Options{}).Start(t.Context(), serde.Reads); !errors.Is(err, serde.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// A store's entry tells by its id whether it can be read.
func TestCheck(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.seed("in-value", text{field: "a"})
	check := func(f text, src string) error {
		s := serde.At(r.another().Serde(f, Options{}), inValue)
		err := s.(serde.Checker).Check([]byte(src))
		form := serde.AppendForm(s, nil, []byte(src))
		if of := s.(serde.Checker).Check(form); fmt.Sprint(of != nil) != fmt.Sprint(err != nil) || len(form) > idSize {
			t.Errorf("%q: %v, and of its form, %q, %v", src, err, form, of)
		}
		return err
	}
	const entry = "\x00\x00\x00\x00\x01x"
	if err := check(text{field: "b", preset: "x"}, entry); err != nil {
		t.Error(err)
	}
	for _, err := range []error{check(text{field: "c"}, entry), check(text{field: "a"}, "\x00\x00\x00\x00\x07x"), check(text{field: "a"}, "xyzxyz"), check(text{field: "a"}, ""), check(text{field: "a"}, "\x01\x02\x03")} {
		if !errors.Is(err, serde.ErrUnreadable) {
			t.Errorf("%v", err)
		}
	}
	for f, want := range map[serde.Schematic[string]]bool{text{field: "b", preset: "x"}: true, knowing{text{field: "b", preset: "x"}}: false} {
		s := serde.At(r.another().Serde(f, Options{}), inValue)
		if asked := r.requests.Load(); serde.Doubts(s, []byte(entry)) || r.requests.Load() != asked {
			t.Errorf("%T doubts what it has not met", f)
		}
		if err := s.(serde.Checker).Check([]byte(entry)); err != nil {
			t.Error(err)
		}
		if got := serde.Doubts(s, []byte(entry)); got != want {
			t.Errorf("%T leaves a doubt: %v", f, got)
		}
		if serde.Doubts(s, nil) {
			t.Errorf("%T: nothing leaves a doubt", f)
		}
	}
	r.down.Store(true)
	if err := check(text{field: "a"}, entry); errors.Is(err, serde.ErrUnreadable) || !errors.Is(err, serde.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// knowing is a text that reads all of what it reads.
type knowing struct{ text }

func (knowing) ReadsAll(serde.Schema) bool { return true }

// A schema's references are found, or registered, and come back with it.
func TestReferences(t *testing.T) {
	t.Parallel()
	r := setup(t)
	f := referring{text{field: "a"}}
	if err := serde.At(r.client.Serde(f, Options{}), inValue).(serde.Starter).Start(t.Context(), serde.Writes); !errors.Is(err, ErrNotRegistered) {
		t.Errorf("%v", err)
	}
	b, err := serde.At(r.client.Serde(f, Options{Register: Always}), inValue).Append(nil, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := serde.At(r.another().Serde(f, Options{}), inValue).Decode(b); err != nil {
		t.Error(err)
	}
	if s, ok := r.fake.GetSchema("test.Text", 1); !ok || s.Type != sr.TypeAvro {
		t.Errorf("%v", s)
	}
}

type referring struct{ text }

func (f referring) Schema() serde.Schema {
	s := f.text.Schema()
	s.Name = "test.Referring"
	s.Text = strings.Replace(s.Text, "test.Text", s.Name, 1)
	s.References = []serde.Reference{{Name: "test.Text", Schema: f.text.Schema()}}
	return s
}

func (f referring) Reader(w serde.Schema) (func([]byte) (string, error), error) {
	if len(w.References) != 1 || w.References[0].Schema.Text != f.text.Schema().Text {
		return nil, fmt.Errorf("references %v", w.References)
	}
	return f.text.Reader(w)
}
