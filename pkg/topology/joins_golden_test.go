package topology_test

import (
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

var (
	lefts       = topology.NewTopic("left", serde.String, serde.String)
	rights      = topology.NewTopic("right", serde.String, serde.String)
	joinedPairs = topology.NewTopic("out", serde.String, serde.String)

	pairStores = store.Join("j", serde.String, serde.String, serde.String)
	closeBy    = window.Within(400 * time.Millisecond).After(100 * time.Millisecond).Grace(200 * time.Millisecond)
	rightRows  = store.Versioned("v", serde.String, serde.String, time.Second)
)

// goldenJoins are the topologies of testdata/joins/java.
var goldenJoins = map[string]func(*topology.Builder){
	"inner": func(b *topology.Builder) {
		b.From(lefts).Join(b.From(rights), closeBy, pairStores, pair).To(joinedPairs)
	},
	"left": func(b *topology.Builder) {
		b.From(lefts).LeftJoin(b.From(rights), closeBy, pairStores, leftPair).To(joinedPairs)
	},
	"outer": func(b *topology.Builder) {
		b.From(lefts).OuterJoin(b.From(rights), closeBy, pairStores, outerPair).To(joinedPairs)
	},
	"versioned": func(b *topology.Builder) {
		b.From(lefts).JoinTable(b.Table(rights, rightRows), pair).To(joinedPairs)
	},
	"grace": func(b *topology.Builder) {
		wait := topology.Grace(300*time.Millisecond, store.Queue("j", serde.String, serde.String))
		b.From(lefts).JoinTable(b.Table(rights, rightRows), pair, wait).To(joinedPairs)
	},
}

func pair(_, l, r string) string                          { return l + "+" + r }
func leftPair(_, l string, r topology.Opt[string]) string { return l + "+" + r.Or("null") }
func outerPair(_ string, l, r topology.Opt[string]) string {
	return l.Or("null") + "+" + r.Or("null")
}

// Every record of every changelog is the one that Kafka Streams writes.
func TestJoinChangelogsAreGolden(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/joins/changelogs.txt")
	if err != nil {
		t.Fatal(err)
	}
	var g *goldenRun
	records := 0
	for n, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		f := strings.Fields(line)
		switch f[0] {
		case "scenario":
			g.done(t)
			g = &goldenRun{name: f[1]}
			b := topology.New()
			goldenJoins[f[1]](b)
			g.Driver = topologytest.New(t, b)
		case "in":
			g.done(t)
			g.line = n + 2
			g.feed(t, f[1:])
		case "log":
			records++
			g.want = append(g.want, strings.Join(f[1:], " "))
		}
	}
	g.done(t)
	if records < 500 {
		t.Errorf("only %d records", records)
	}
}

// A goldenRun compares one scenario, input by input.
type goldenRun struct {
	*topologytest.Driver
	name string
	line int
	want []string
}

func (g *goldenRun) feed(t *testing.T, f []string) {
	t.Helper()
	at, err := strconv.ParseInt(f[3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := topology.Record[string, string]{Key: string(unhex(t, f[1])), Value: string(unhex(t, f[2])), NullValue: f[2] == "-", Time: time.UnixMilli(at)}
	if len(f) > 4 {
		r.Headers = []topology.Header{{Key: "h", Value: unhex(t, f[4])}}
	}
	g.Pipe(topology.NewTopic(f[0], serde.String, serde.String), r)
}

// done compares what the last input led to.
func (g *goldenRun) done(t *testing.T) {
	t.Helper()
	if g == nil {
		return
	}
	var got []string
	for _, topic := range []string{"j-this-join-store", "j-outer-this-join-store", "j-other-join-store", "j-outer-other-join-store", "j-left-shared-join-store", "j-outer-shared-join-store", "v", "j-Buffer"} {
		name := "test-" + topic + "-changelog"
		for _, r := range g.Take(topology.NewTopic(name, serde.Bytes, serde.Bytes)) {
			value, at := "-", strconv.FormatInt(r.Time.UnixMilli(), 10)
			if !r.NullValue {
				value = "x" + hex.EncodeToString(r.Value)
			}
			if topic == "j-Buffer" {
				at = "-" // Kafka Streams leaves it to the producer's clock
			}
			got = append(got, name+" x"+hex.EncodeToString(r.Key)+" "+value+" "+at)
		}
	}
	slices.Sort(got)
	slices.Sort(g.want)
	if !slices.Equal(got, g.want) {
		t.Fatalf("%s, line %d:\ngot  %s\nwant %s", g.name, g.line, strings.Join(got, "\n     "), strings.Join(g.want, "\n     "))
	}
	g.want = nil
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	if s == "-" {
		return nil
	}
	b, err := hex.DecodeString(s[1:])
	if err != nil {
		t.Fatal(err)
	}
	return b
}
