package topology_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

// A spy is a serde of strings that writes down where it is used, and keeps a mark of it
// in the headers where there are some.
type spy struct {
	place  serde.Place
	starts *[]string
	bad    string // what Start and Check refuse
}

func (s spy) At(p serde.Place) serde.Serde[string] { s.place = p; return s }

func (s spy) Append(dst []byte, v string) ([]byte, error) {
	return append(append(dst, "bare:"...), v...), nil
}

func (s spy) Decode(src []byte) (string, error) {
	v, ok := strings.CutPrefix(string(src), "bare:")
	if !ok {
		return "", fmt.Errorf("%q is not bare", src)
	}
	return v, nil
}

func (s spy) mark() string { return "mark-" + s.place.Part.String() }

func (s spy) AppendRecord(dst []byte, v string, h serde.Headers) ([]byte, error) {
	h.Set(s.mark(), []byte(s.place.Topic))
	return append(dst, v...), nil
}

func (s spy) DecodeRecord(src []byte, h serde.Headers) (string, error) {
	if _, ok := h.Get(s.mark()); !ok {
		return s.Decode(src)
	}
	h.Delete(s.mark())
	return string(src), nil
}

func (s spy) Start(_ context.Context, use serde.Use) error {
	*s.starts = append(*s.starts, fmt.Sprintf("%s %v internal=%v use=%d", s.place.Topic, s.place.Part, s.place.Internal, use))
	if s.bad != "" && s.place.Topic == s.bad {
		return errors.New("no")
	}
	return nil
}

func (s spy) Check(src []byte) error {
	if string(src) == "bare:"+s.bad {
		return serde.ErrUnreadable
	}
	return nil
}

func placed(s spy) (in, out topology.Topic[string, string], b *topology.Builder) {
	in, out = topology.NewTopic[string, string]("in", s, s), topology.NewTopic[string, string]("out", s, s)
	via := topology.NewRepartition[string, string]("via", serde.String, s)
	b = topology.New()
	b.From(in).KeyBy(via, func(k, _ string) string { return k }).
		Reduce(store.KeyValue[string, string]("last", serde.String, s), func(_, v string) string { return v }).
		Stream().To(out)
	return in, out, b
}

// A serde's headers are read where the record comes from and written where it goes; the
// author sees the others only, and what is internal does without.
func TestHeadersOfSerdes(t *testing.T) {
	t.Parallel()
	in, out, b := placed(spy{starts: new([]string)})
	d := topologytest.New(t, b)
	d.Pipe(in, topology.Record[string, string]{Key: "k", Value: "v", Headers: []topology.Header{{Key: "a", Value: []byte("1")}}})
	d.PipeRaw("in", task.Message{Key: []byte("bare:k"), Value: []byte("bare:w")})
	got := d.Take(out)
	if len(got) != 2 || got[0].Value != "v" || got[1].Value != "w" || got[0].Key != "k" {
		t.Fatalf("%v", got)
	}
	if h := got[0].Headers; len(h) != 1 || h[0].Key != "a" {
		t.Errorf("headers %v", h)
	}
	_, value, headers, err := out.Encode(got[0])
	if err != nil || string(value) != "v" || len(headers) != 3 || len(got[0].Headers) != 1 {
		t.Errorf("%q %v %v; the record has %v", value, headers, err, got[0].Headers)
	}
}

// The changes of a table that is grouped anew hold two values each: nothing of them is in
// headers. A windowed key's schema is, where its topic is not internal, as a bare key's is.
func TestHeadersWithinOthers(t *testing.T) {
	t.Parallel()
	s := spy{starts: new([]string)}
	in := topology.NewTopic[string, string]("in", s, s)
	out := topology.NewTopic("out", serde.TimeWindowed[string](s, time.Minute), serde.Pointer[string](s))
	b := topology.New()
	rows := b.Table(in, store.KeyValue[string, string]("rows", s, s))
	groups := rows.GroupBy(topology.NewRepartition[string, string]("groups", s, s), func(k, v string) (string, string) { return v, k })
	last := groups.Reduce(store.KeyValue[string, string]("last", s, s), func(_, v string) string { return v }, func(acc, _ string) string { return acc })
	last.Stream().Map(func(k, v string) (window.Windowed[string], *string) {
		return window.Windowed[string]{Key: k, Span: window.Span{End: 60_000}}, &v
	}).To(out)
	d := topologytest.New(t, b)
	d.Send(in, "k", "g")
	got := d.Take(out)
	if len(got) != 1 || got[0].Key.Key != "g" || *got[0].Value != "k" || len(got[0].Headers) > 0 {
		t.Fatalf("%v", got)
	}
	key, value, headers, err := out.Encode(got[0])
	if err != nil || string(key) != "g\x00\x00\x00\x00\x00\x00\x00\x00" || string(value) != "k" || len(headers) != 2 || string(out.Route(key)) != "g" {
		t.Errorf("%q %q %v, %v", key, value, headers, err)
	}
}

// Every serde that a topology uses is asked at start, where and for what it is used.
func TestStart(t *testing.T) {
	t.Parallel()
	var starts []string
	_, _, b := placed(spy{starts: &starts, bad: "app-last-changelog"})
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	err = top.Plan().Check(t.Context(), "app")
	if err == nil || err.Error() != "store last: no" {
		t.Errorf("%v", err)
	}
	slices.Sort(starts)
	want := []string{
		"app-last-changelog value internal=true use=3",
		"app-via-repartition value internal=true use=1",
		"app-via-repartition value internal=true use=2",
		"in key internal=false use=1",
		"in value internal=false use=1",
		"out key internal=false use=2",
		"out value internal=false use=2",
	}
	if !slices.Equal(starts, want) {
		t.Errorf("%s", strings.Join(starts, "\n"))
	}
}

// A store that cannot be read keeps its task from running.
func TestUnreadableStore(t *testing.T) {
	t.Parallel()
	_, _, b := placed(spy{starts: new([]string)})
	var failed error
	d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
	d.PipeRaw("in", task.Message{Key: []byte("bare:k"), Value: []byte("bare:v")})
	for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
		_, _, next := placed(spy{starts: new([]string), bad: "v"})
		if d.Upgrade(next, local); !errors.Is(failed, serde.ErrUnreadable) || !strings.Contains(failed.Error(), `task 1_0, node "store last": value: `) {
			t.Errorf("%v", failed)
		}
		failed = nil
	}
}

// Undecodable input goes by the decode policy; an undecodable entry of a store, and a
// serde that could not ask, by none.
func TestWhoseFault(t *testing.T) {
	t.Parallel()
	var down bool
	s := faulty{spy{starts: new([]string)}, &down}
	in, _, b := placed(s.spy)
	inF := topology.NewTopic[string, string]("odd", serde.String, s)
	b.From(inF).To(topology.NewTopic[string, string]("odd-out", serde.String, serde.String))
	var failed error
	d := topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Skip, ""), topologytest.OnError(func(err error) { failed = err }))
	d.PipeRaw("in", task.Message{Key: []byte("bare:k"), Value: []byte("not b")})
	d.PipeRaw("odd", task.Message{Key: []byte("k"), Value: []byte("not b")})
	if dropped := d.Dropped(); failed != nil || dropped["undecodable"] != 2 {
		t.Errorf("%v %v", failed, dropped)
	}
	down = true
	if d.PipeRaw("odd", task.Message{Key: []byte("k"), Value: []byte("bare:v")}); !errors.Is(failed, serde.ErrUnavailable) {
		t.Errorf("%v", failed)
	}
	failed = nil
	d.OpenStore("last").Put([]byte("k"), []byte("not b"), 0)
	if d.Send(in, "k", "v"); failed == nil || !strings.Contains(failed.Error(), "store last: ") {
		t.Errorf("%v", failed)
	}
}

// faulty is a spy that cannot ask when it is down.
type faulty struct {
	spy
	down *bool
}

func (s faulty) At(serde.Place) serde.Serde[string] { return s }

func (s faulty) Decode(src []byte) (string, error) {
	if *s.down {
		return "", fmt.Errorf("registry: %w", serde.ErrUnavailable)
	}
	return s.spy.Decode(src)
}
