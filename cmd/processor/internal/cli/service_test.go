package cli

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/internal/embedded"
)

// A process is a `processor run` in progress.
type process struct {
	t    *testing.T
	log  log
	stop context.CancelFunc
	done chan struct{}
	result
}

// A log takes the lines that a process writes to its standard output.
type log chan []byte

func (l log) Write(line []byte) (int, error) {
	select {
	case l <- bytes.Clone(line):
	default: // so many that no test can want them all
	}
	return len(line), nil
}

// start runs a service with its state in a directory of its own, if args name no
// other.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	p := &process{t: t, log: make(log, 1000), stop: stop, done: make(chan struct{})}
	args = append([]string{"run", "--state.dir=" + t.TempDir(), "--http.listen=127.0.0.1:0", "--log.format=json"}, args...)
	go func() {
		var errs bytes.Buffer
		p.code = Main(ctx, args, System{Out: p.log, Err: &errs})
		p.err = errs.String()
		close(p.done)
	}()
	t.Cleanup(func() { stop(); p.wait() })
	return p
}

// logged waits for a line with that message, and returns an attribute of it.
func (p *process) logged(message, attr string) string {
	p.t.Helper()
	for {
		var text []byte
		select {
		case text = <-p.log:
		case <-p.done:
			p.t.Fatalf("it never logged %q: %+v", message, p.result)
		}
		var line map[string]any
		if err := json.Unmarshal(text, &line); err != nil {
			p.t.Fatalf("%s: %v", text, err)
		}
		if strings.Contains(fmt.Sprint(line["msg"]), message) {
			return strings.Trim(fmt.Sprint(line[attr]), "[]")
		}
	}
}

// wait returns what came of the process once it has ended.
func (p *process) wait() result {
	<-p.done
	return p.result
}

func client(t *testing.T, brokers string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(brokers), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// poll waits for records, but not for ever.
func poll(t *testing.T, c *kgo.Client, fn func(*kgo.Record)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fetches := c.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	fetches.EachRecord(fn)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestRun runs the wordcount on a broker inside the process: a line goes in,
// counts come out, and a signal ends it cleanly.
func TestRun(t *testing.T) {
	t.Parallel()
	p := start(t, "-c", configs+"wordcount.yaml", "--kafka.brokers=embedded")
	brokers := p.logged("broker is inside the process", "brokers")
	url := "http://" + p.logged("HTTP is served", "address")
	if what := p.logged("starting", "topology"); what != "wordcount" {
		t.Errorf("it starts %s", what)
	}
	c := client(t, brokers, kgo.ConsumeTopics("word-counts"), kgo.DefaultProduceTopic("text-lines"))
	if err := c.ProduceSync(t.Context(), kgo.StringRecord("Row, row, row")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for last := byte(0); last < 3; {
		poll(t, c, func(r *kgo.Record) { last = r.Value[7] })
	}
	for path, want := range map[string]string{"/healthz": "healthy", "/readyz": "ready", "/metrics": "\nleat_ready 1\n"} {
		if code, body := get(t, url+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	p.stop()
	if r := p.wait(); r.code != exitOK || r.err != "" {
		t.Errorf("got %+v", r)
	}
}

// broker starts one with topics and returns its address.
func broker(t *testing.T, topics map[string]int32) string {
	t.Helper()
	b, err := embedded.Start(embedded.Options{Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b.Addrs()[0]
}

func TestTopicsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		topics map[string]int32
		want   string
	}{
		"no source":        {map[string]int32{"payments": 4, "fraud-alerts": 4, "fraud-rejected": 1}, "card-limits"},
		"no sink":          {map[string]int32{"payments": 4, "card-limits": 4, "fraud-rejected": 1}, "fraud-alerts"},
		"partition counts": {map[string]int32{"payments": 4, "card-limits": 3, "fraud-alerts": 4, "fraud-rejected": 1}, "card-limits"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "-c", configs+"fraud.yaml", "--kafka.brokers="+broker(t, c.topics))
			p.wait().expect(t, exitFailed, c.want)
		})
	}
}

func TestOneProcessForAStateDirectory(t *testing.T) {
	t.Parallel()
	brokers, dir := broker(t, map[string]int32{"source": 1, "copy": 1}), t.TempDir()
	args := []string{"-c", configs + "copy.yaml", "--kafka.brokers=" + brokers, "--state.dir=" + dir}
	start(t, args...)
	c := client(t, brokers, kgo.ConsumeTopics("copy"), kgo.DefaultProduceTopic("source"))
	if err := c.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	poll(t, c, func(*kgo.Record) {}) // it runs
	start(t, args...).wait().expect(t, exitFailed, dir)
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	brokers := broker(t, map[string]int32{"source": 1, "copy": 1})
	p := start(t, "-c", configs+"copy.yaml", "--kafka.brokers="+brokers, "--http.listen="+brokers)
	p.wait().expect(t, exitFailed, `choose another address, or "" to serve no HTTP`)
}

func TestTopicsOfACluster(t *testing.T) {
	t.Parallel()
	brokers := broker(t, map[string]int32{"text-lines": 7})
	r := call(t, "topics", "-c", configs+"wordcount.yaml", "--kafka.brokers="+brokers)
	if r.code != exitOK || !strings.Contains(r.out, "wordcount-words-repartition   repartition   7 ") {
		t.Errorf("got %+v", r)
	}
	call(t, "topics", "-c", configs+"count.yaml", "--kafka.brokers="+brokers).expect(t, exitOK, `topic "events" does not exist`)
}

// TestFraud generates payments for a running service, until it raises an alert.
func TestFraud(t *testing.T) {
	t.Parallel()
	p := start(t, "-c", configs+"fraud.yaml", "--kafka.brokers=embedded")
	brokers := p.logged("broker is inside the process", "brokers")
	r := call(t, "generate", "-c", configs+"fraud.yaml", "--kafka.brokers="+brokers, "--count=12000", "--rate=0", "--cards=5000", "--seed=1") // among them is one alert
	if r.code != exitOK {
		t.Fatalf("got %+v", r)
	}
	poll(t, client(t, brokers, kgo.ConsumeTopics("fraud-alerts")), func(r *kgo.Record) {
		a, err := topologies.AlertTopic("fraud-alerts").Decode(r.Key, r.Value)
		limit := a.Value.Limit
		if err != nil || a.Value.Payments <= limit.Payments && a.Value.Cents <= limit.Cents {
			t.Errorf("%+v, %v", a, err)
		}
	})
	p.stop()
	if r := p.wait(); r.code != exitOK || r.err != "" {
		t.Errorf("got %+v", r)
	}
}
