package topology_test

import (
	"cmp"
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

// started is what the serdes of a topology were asked at start, sorted.
func started(t *testing.T, build func(b *topology.Builder, s spy)) []string {
	t.Helper()
	var starts []string
	b := topology.New()
	build(b, spy{starts: &starts})
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := top.Plan().Check(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(starts)
	return slices.Compact(starts)
}

func topicOf(name string, s spy) topology.Topic[string, string] {
	return topology.NewTopic[string, string](name, serde.String, s)
}

// What is written and read by the way is checked too: the topics of a foreign-key join
// under Kafka Streams' names, those that ToEach may choose, that of a global table, and
// the stores of leat's own operators.
func TestStartByTheWay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		build func(b *topology.Builder, s spy)
		want  []string // beyond what From reads
	}{
		{"foreign", func(b *topology.Builder, s spy) {
			keyed := topology.NewTopic[string, string]("in", s, s)
			t := b.Table(keyed, store.KeyValue[string, string]("l", s, s))
			right := b.Table(topology.NewTopic[string, string]("right", s, s), store.KeyValue[string, string]("r", s, s))
			key := func(_, v string) topology.Opt[string] { return topology.Some(v) }
			t.JoinForeign(right, topology.NewSubscription("j"), key, func(_, v, _ string) string { return v }).Stream().To(result)
		}, []string{
			"app-j-subscription-registration-topic key internal=true use=3",
			"app-j-subscription-registration-topic-pk key internal=true use=3",
			"app-j-subscription-registration-topic-vh value internal=true use=2",
			"app-j-subscription-response-topic value internal=true use=3",
			"app-l-changelog key internal=true use=3", "app-l-changelog value internal=true use=3",
			"app-r-changelog key internal=true use=3", "app-r-changelog value internal=true use=3",
			"in key internal=false use=1", "right key internal=false use=1", "right value internal=false use=1",
		}},
		{"each", func(b *topology.Builder, s spy) {
			a, c := topicOf("a", s), topicOf("c", s)
			b.From(topicOf("in", s)).ToEach(func(topology.Record[string, string]) topology.Topic[string, string] { return a }, a, c)
		}, []string{"a value internal=false use=2", "c value internal=false use=2"}},
		{"global", func(b *topology.Builder, s spy) {
			g := b.GlobalTable(topicOf("all", s), store.KeyValue[string, string]("g", serde.String, s))
			lookUp(b.From(topicOf("in", s)), g)
		}, []string{"all value internal=false use=1"}},
		{"join", func(b *topology.Builder, s spy) { buildSingles(b, s) }, []string{
			"app-j-left-shared-join-store-changelog value internal=true use=3",
			"app-j-outer-other-join-store-changelog value internal=true use=3",
			"app-j-this-join-store-changelog value internal=true use=3",
		}},
		{"suppression", func(b *topology.Builder, s spy) { buildBuffer(b, s) }, []string{"app-held-changelog value internal=true use=3"}},
		{"grace", func(b *topology.Builder, s spy) { buildQueue(b, s) }, []string{"app-j-Buffer-changelog value internal=true use=3"}},
	} {
		got := slices.DeleteFunc(started(t, tc.build), func(s string) bool { return s == "in value internal=false use=1" })
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n%s", tc.name, strings.Join(got, "\n"))
		}
	}
}

func lookUp(s topology.Stream[string, string], g topology.GlobalTable[string, string]) {
	key := func(_, v string) topology.Opt[string] { return topology.Some(v) }
	s.LeftJoinGlobal(g, key, func(_, v string, _ topology.Opt[string]) string { return v }).To(result)
}

func buildVersions(b *topology.Builder, s spy) {
	b.From(topicOf("in", s)).Table(store.Versioned[string, string]("v", serde.String, s, time.Hour)).Stream().To(result)
}

func buildRecent(b *topology.Builder, s spy) {
	b.From(topicOf("in", s)).Table(store.LRU[string, string]("lru", 10, serde.String, s)).Stream().To(result)
}

func buildSingles(b *topology.Builder, s spy) {
	in, none := b.From(topicOf("in", s)), b.From(topology.NewTopic("none", serde.String, serde.String))
	in.LeftJoin(none, window.Within(time.Second).Grace(time.Hour), store.Join[string, string, string]("j", serde.String, s, s),
		func(_, l string, _ topology.Opt[string]) string { return l }).To(result)
}

func buildBuffer(b *topology.Builder, s spy) {
	buffer := store.Buffer[string, string]("held", serde.String, s)
	b.From(topicOf("in", s)).Updates().Suppress(topology.UntilTimeLimit(time.Hour, buffer)).Stream().To(result)
}

func buildQueue(b *topology.Builder, s spy) {
	rows := b.Table(topology.NewTopic("none", serde.String, serde.String), store.Versioned("rows", serde.String, serde.String, time.Hour))
	wait := topology.Grace(time.Minute, store.Queue[string, string]("j", serde.String, s))
	b.From(topicOf("in", s)).LeftJoinTable(rows, func(_, v string, _ topology.Opt[string]) string { return v }, wait).To(result)
}

func buildForeign(b *topology.Builder, s spy) {
	left := b.Table(topicOf("in", spy{starts: new([]string)}), store.KeyValue[string, string]("l", serde.String, spy{starts: new([]string)}))
	right := b.Table(topology.NewTopic[string, string]("right", s, serde.String), store.KeyValue[string, string]("r", s, serde.String))
	key := func(_, v string) topology.Opt[string] { return topology.Some(v) }
	left.JoinForeign(right, topology.NewSubscription("j"), key, func(_, v, _ string) string { return v }).Stream().To(result)
}

func buildGlobal(b *topology.Builder, s spy) {
	in := topicOf("in", s)
	g := b.GlobalTable(in, store.KeyValue[string, string]("g", serde.String, s))
	lookUp(b.From(topology.NewTopic("none", serde.String, serde.String)), g)
}

// Stores of every layout are looked at when a task is opened, versions and what waits in
// lists too, and global tables before there are tasks.
func TestUnreadableLayouts(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(*topology.Builder, spy){
		"store v": buildVersions, "store lru": buildRecent, "store j-left-shared-join-store": buildSingles, "store held": buildBuffer,
		"store j-Buffer": buildQueue, "global table g, topic in": buildGlobal, "store j-subscription-store": buildForeign,
	} {
		topologyWith := func(bad string) *topology.Builder {
			b := topology.New()
			build(b, spy{starts: new([]string), bad: bad})
			return b
		}
		for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
			var failed error
			d := topologytest.New(t, topologyWith(""), topologytest.OnError(func(err error) { failed = err }))
			for i, v := range []string{"good", "last"} { // of one key, so that a versioned store has two
				d.PipeRaw("in", task.Message{Key: []byte("k"), Value: []byte("bare:" + v), Time: int64(i)})
			}
			d.Upgrade(topologyWith("other"), local)
			if failed != nil {
				t.Errorf("%s: %v", name, failed)
			}
			d.Upgrade(topologyWith("last"), local)
			if !errors.Is(failed, serde.ErrUnreadable) || !strings.Contains(failed.Error(), name) {
				t.Errorf("%s: %v", name, failed)
			}
		}
	}
}

// What does not answer is not asked for the next serde, or a start would wait for it as
// often as there are serdes.
func TestUnavailableAtStart(t *testing.T) {
	t.Parallel()
	var starts []string
	s := away{spy{starts: &starts}}
	b := topology.New()
	b.From(topology.NewTopic[string, string]("in", s, s)).To(topology.NewTopic[string, string]("out", s, s))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	err = top.Plan().Check(t.Context(), "app")
	if !errors.Is(err, serde.ErrUnavailable) || err.Error() != "topic in: unavailable" || len(starts) != 1 {
		t.Errorf("%v after %v", err, starts)
	}
}

// away is a spy that cannot ask.
type away struct{ spy }

func (s away) At(p serde.Place) serde.Serde[string] { s.place = p; return s }

func (s away) Start(ctx context.Context, use serde.Use) error {
	return errors.Join(s.spy.Start(ctx, use), serde.ErrUnavailable)
}

// Every one of several mistakes says where it is.
func TestMistakesSayWhere(t *testing.T) {
	t.Parallel()
	s := wrong{spy{starts: new([]string)}}
	b := topology.New()
	b.From(topology.NewTopic[string, string]("in", s, s)).To(result)
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := fmt.Sprint(top.Plan().Check(t.Context(), "app")); err != "topic in: a\ntopic in: b\ntopic in: a\ntopic in: b" {
		t.Error(err)
	}
}

// wrong is a spy with two mistakes.
type wrong struct{ spy }

func (s wrong) At(serde.Place) serde.Serde[string] { return s }

func (s wrong) Start(context.Context, serde.Use) error {
	return errors.Join(errors.New("a"), errors.New("b"))
}

// A value that cannot be read is found wherever in a large store it is: on the disk that
// the task finds, in the changelog, and in whatever kind of store. It does not matter that
// there was one once.
func TestUnreadableInTheMiddle(t *testing.T) {
	t.Parallel()
	up := func(old string) (string, error) { return old, nil }
	first := serde.Versioned(1, serde.String)
	second := serde.Versioned(2, serde.String, serde.Migrate(1, serde.String, up))
	third := serde.Versioned(3, serde.String, serde.Migrate(2, serde.String, up))
	for name, build := range map[string]func(b *topology.Builder, in topology.Topic[string, string], s serde.Serde[string]){
		"store rows": func(b *topology.Builder, in topology.Topic[string, string], s serde.Serde[string]) {
			b.From(in).Table(store.KeyValue("rows", serde.String, s))
		},
		"store windows": func(b *topology.Builder, in topology.Topic[string, string], s serde.Serde[string]) {
			topology.Windowed(b.From(in), window.Tumbling(time.Hour)).Reduce(store.Window("windows", serde.String, s), func(_, v string) string { return v })
		},
		"global table g, topic in": func(b *topology.Builder, in topology.Topic[string, string], s serde.Serde[string]) {
			g := b.GlobalTable(topology.NewTopic("in", serde.String, s), store.KeyValue("g", serde.String, s))
			lookUp(b.From(topology.NewTopic("none", serde.String, serde.String)), g)
		},
	} {
		version := func(s serde.Serde[string]) (*topology.Builder, topology.Topic[string, string]) {
			b, in := topology.New(), topology.NewTopic("in", serde.String, serde.String)
			if strings.HasPrefix(name, "global") {
				in = topology.NewTopic("in", serde.String, s)
			}
			build(b, in, s)
			return b, in
		}
		var failed error
		b, in := version(first)
		d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
		put := func(from, to int) {
			for i := from; i < to; i++ {
				d.Send(in, fmt.Sprintf("k%03d", i), "v")
			}
		}
		refused := func(local topologytest.Local, s serde.Serde[string]) bool {
			failed = nil
			b, topic := version(s)
			d.Upgrade(b, local)
			in = topic
			if failed != nil && (!errors.Is(failed, serde.ErrUnreadable) || !strings.Contains(failed.Error(), name)) {
				t.Errorf("%s: %v", name, failed)
			}
			return failed != nil
		}
		put(0, 600)
		for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
			if refused(local, second) {
				t.Fatalf("%s: %v", name, failed)
			}
			put(0, 300)
			put(301, 600)
			if !refused(local, third) || !strings.Contains(fmt.Sprint(failed), "it is version 1, and known are [2 3]") {
				t.Errorf("%s, state is kept %v: %v", name, local, failed)
			}
			if refused(topologytest.LoseState, second) {
				t.Fatalf("%s: %v", name, failed)
			}
		}
		put(300, 301)
		for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
			if refused(local, third) {
				t.Errorf("%s: %v", name, failed)
			}
		}
	}
}

// Who knows only by decoding what can be read finds the one value that cannot before the
// first record, too, wherever it is.
func TestUndecodableInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(b *topology.Builder, in topology.Topic[string, string], s serde.Serde[string]){
		"store rows": func(b *topology.Builder, in topology.Topic[string, string], s serde.Serde[string]) {
			b.From(in).Table(store.KeyValue("rows", serde.String, s))
		},
		"store windows": func(b *topology.Builder, in topology.Topic[string, string], s serde.Serde[string]) {
			topology.Windowed(b.From(in), window.Tumbling(time.Hour)).Reduce(store.Window("windows", serde.String, s), func(_, v string) string { return v })
		},
		"store keys": func(b *topology.Builder, in topology.Topic[string, string], s serde.Serde[string]) {
			b.From(in).SelectKey(func(r topology.Record[string, string]) string { return r.Value }).Repartition(topology.NewRepartition("r", serde.String, serde.String)).Table(store.KeyValue("keys", s, serde.String))
		},
	} {
		version := func(s serde.Serde[string]) (*topology.Builder, topology.Topic[string, string]) {
			b, in := topology.New(), topology.NewTopic("in", serde.String, serde.String)
			build(b, in, s)
			return b, in
		}
		var failed error
		b, in := version(anything{})
		d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
		for i := range 600 {
			d.Send(in, fmt.Sprintf("k%03d", i), cmp.Or(map[int]string{300: "word"}[i], fmt.Sprint(i)))
		}
		for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
			failed = nil
			b, _ := version(numerals{})
			if d.Upgrade(b, local); !errors.Is(failed, serde.ErrUnreadable) || !strings.Contains(failed.Error(), `node "`+name+`": `) || !strings.Contains(failed.Error(), "word is no number") {
				t.Errorf("%s, state is kept %v: %v", name, local, failed)
			}
			failed = nil
			b, _ = version(anything{})
			if d.Upgrade(b, local); failed != nil {
				t.Fatalf("%s, state is kept %v: %v", name, local, failed)
			}
		}
	}
}

// anything and numerals are two formats that cannot be told apart without decoding.
type (
	anything struct{ serde.Serde[string] }
	numerals struct{}
)

func (anything) Append(dst []byte, v string) ([]byte, error) { return serde.String.Append(dst, v) }
func (anything) Decode(src []byte) (string, error)           { return string(src), nil }

func (numerals) Append(dst []byte, v string) ([]byte, error) { return serde.String.Append(dst, v) }

func (numerals) Decode(src []byte) (string, error) {
	if strings.Trim(string(src), "0123456789") != "" {
		return "", fmt.Errorf("%s is no number", src)
	}
	return string(src), nil
}

// A topic's format may be exchanged for another.
func TestStoreOfAnotherFormat(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.String)
	b := topology.New()
	b.Table(in, store.KeyValue("rows", serde.String, serde.String))
	next := topology.New()
	next.Table(topology.NewTopic("in", serde.String, serde.Int64), store.KeyValue("rows", serde.String, serde.Int64))
	var failed error
	d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
	d.Send(in, "k", "text")
	if d.Upgrade(next, topologytest.KeepState); !errors.Is(failed, serde.ErrUnreadable) || !strings.Contains(failed.Error(), `node "store rows": value: `) {
		t.Errorf("%v", failed)
	}
}
