package instance

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// The tests of guard_*_test.go guard the rules of exactly-once; testdata/mutants at
// the root of the module breaks them.

// A fate is what becomes of a request.
type fate int

const (
	arrives    fate = iota
	late            // by delay
	vanishes        // and so nothing is ever heard of it
	unanswered      // it arrives, and the connection breaks before the answer
)

// delay is less than what clients wait for an answer, and more than the session of
// an impatient member lasts.
const (
	delay     = 8 * time.Second
	impatient = 6 * time.Second
)

// A wire is the network as one instance's clients see it. Its rule decides about
// each request when it is written.
type wire struct {
	net  func(ctx context.Context, network, address string) (net.Conn, error)
	mu   sync.Mutex
	rule func(role string, key kmsg.Key) fate // the client's role: "member", "producer-0"...
}

// wired returns the configuration of an instance of a name, and its network.
func (w *world) wired(name string, plan *task.Plan) (Config, *wire) {
	cfg, wr := w.config(plan), &wire{net: w.net.DialContext}
	cfg.InstanceID, cfg.Workers = name, 1
	cfg.ClientOptions = []kgo.Opt{kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := wr.net(ctx, network, address)
		return &wireConn{c, wr, "app-" + name + "-"}, err
	})}
	return cfg, wr
}

// set makes rule the one that decides from now on; nil lets everything pass.
func (wr *wire) set(rule func(role string, key kmsg.Key) fate) {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	wr.rule = rule
}

type wireConn struct {
	net.Conn
	wire   *wire
	prefix string // of the client ids
}

// Write is called with one request at a time: size, key, version, number, client id.
func (c *wireConn) Write(b []byte) (int, error) {
	key, id := kmsg.Key(binary.BigEndian.Uint16(b[4:])), b[14:14+binary.BigEndian.Uint16(b[12:])]
	c.wire.mu.Lock()
	rule := c.wire.rule
	c.wire.mu.Unlock()
	if rule == nil {
		return c.Conn.Write(b)
	}
	switch rule(strings.TrimPrefix(string(id), c.prefix), key) {
	case late:
		sent := slices.Clone(b)
		time.AfterFunc(delay, func() { _, _ = c.Conn.Write(sent) }) // the connection may be closed by then
		return len(b), nil
	case vanishes:
		return len(b), nil
	case unanswered:
		defer c.Conn.Close()
	}
	return c.Conn.Write(b)
}

// countKeys counts the records of "words" by key, and writes each count to
// "counts". It has one task for each partition.
func countKeys(t *testing.T) *task.Plan {
	t.Helper()
	b := topology.New()
	b.From(topology.NewTopic("words", serde.String, serde.String)).
		Count(store.KeyValue("counts", serde.String, serde.Int64)).
		Stream().
		To(topology.NewTopic("counts", serde.String, serde.Int64))
	return built(t, b)
}

func built(t *testing.T, b *topology.Builder) *task.Plan {
	t.Helper()
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return top.Plan()
}

// putKeys writes records to partition 0 of a topic, as "key" or "key=value"; "key=nil"
// is a tombstone.
func (w *world) putKeys(topic string, records ...string) {
	w.t.Helper()
	cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	for _, r := range records {
		if err := cl.ProduceSync(context.Background(), record(topic, r)).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func record(topic, r string) *kgo.Record {
	key, value, _ := strings.Cut(r, "=")
	rec := &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
	if value == "nil" {
		rec.Value = nil
	}
	return rec
}

// expectCounts checks what has been committed to "counts", in order, as "key=count".
func (w *world) expectCounts(want ...string) {
	w.t.Helper()
	var got []string
	for _, r := range w.read("counts", len(want)) {
		n, err := serde.Int64.Decode(r.Value)
		if err != nil {
			w.t.Error(err)
		}
		got = append(got, fmt.Sprintf("%s=%d", r.Key, n))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("counted %v, not %v", got, want)
	}
}
