package service

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/embedded"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// A controlled service copies records, and is asked over HTTP.
type controlled struct {
	*testing.T
	app *streams.App
	cl  *kgo.Client
	url string
}

func newControlled(t *testing.T) *controlled {
	t.Helper()
	broker, err := embedded.Start(embedded.Options{Topics: map[string]int32{"in": 2, "out": 1}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	b := topology.New()
	b.From(topology.NewTopic("in", serde.String, serde.String)).To(topology.NewTopic("out", serde.String, serde.String))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	c := &controlled{T: t}
	if c.app, err = streams.New(top, streams.Config{Application: "app", Brokers: broker.Addrs(), Workers: 1, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	c.cl, err = kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumeTopics("out"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.cl.Close)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	mux := http.NewServeMux()
	control(mux, c.app)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// send writes a record to a partition of the input.
func (c *controlled) send(partition int32, value string) {
	c.Helper()
	if err := c.cl.ProduceSync(c.Context(), &kgo.Record{Topic: "in", Partition: partition, Value: []byte(value)}).FirstErr(); err != nil {
		c.Fatal(err)
	}
}

// read returns the next n results.
func (c *controlled) read(n int) string {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	var got []string
	for len(got) < n && ctx.Err() == nil {
		c.cl.PollRecords(ctx, n-len(got)).EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	return strings.Join(got, " ")
}

// ask checks the answer to a request.
func (c *controlled) ask(method, path string, code int, says string) {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.url+path, nil)
	if err != nil {
		c.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != code || !strings.Contains(string(body), says) {
		c.Errorf("%s %s: %d %s, %v; want %d %s", method, path, resp.StatusCode, body, err, code, says)
	}
}

// expect checks the next results.
func (c *controlled) expect(want string) {
	c.Helper()
	if got := c.read(len(strings.Fields(want))); got != want {
		c.Errorf("got %q, want %q", got, want)
	}
}

// What is paused over HTTP waits until it is resumed, one partition as well as all.
func TestControl(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	c.send(0, "a")
	c.expect("a")

	c.ask(http.MethodPost, "/pause?topic=in&partition=0", http.StatusOK, "done")
	c.send(0, "b")
	c.send(1, "c")
	c.expect("c") // which would have come after b
	c.ask(http.MethodPost, "/resume?topic=in&partition=0", http.StatusOK, "done")
	c.expect("b")

	c.ask(http.MethodPost, "/pause", http.StatusOK, "done")
	if !c.app.Status().Paused {
		t.Error("the status does not say that the process is paused")
	}
	c.ask(http.MethodPost, "/resume", http.StatusOK, "done")
	if c.app.Status().Paused {
		t.Error("the status says that the process is paused still")
	}
	c.send(0, "d")
	c.expect("d")

	c.ask(http.MethodPost, "/pause?topic=in", http.StatusBadRequest, "name both")
	c.ask(http.MethodPost, "/pause?partition=1", http.StatusBadRequest, "name both")
	c.ask(http.MethodPost, "/pause?topic=in&partition=-1", http.StatusBadRequest, "name both")
	c.ask(http.MethodPost, "/pause?topic=other&partition=0", http.StatusBadRequest, `no task reads topic "other"`)
	c.ask(http.MethodGet, "/pause", http.StatusMethodNotAllowed, "")
}
