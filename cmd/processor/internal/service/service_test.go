package service

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/internal/budget"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

func TestMonitor(t *testing.T) {
	t.Parallel()
	restoring := streams.Status{Tasks: []streams.TaskStatus{{ID: "0_1", State: "restoring"}, {ID: "1_0", State: "running"}}}
	ready := streams.Status{Ready: true, Records: 7, Tasks: []streams.TaskStatus{{ID: "0_1", State: "running"}}}
	stalled := streams.Status{Stalled: []streams.Stall{{Task: "0_1", Node: "n", Topic: "t", Partition: 1, Offset: 7}}}
	m, err := newMeters()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		status     streams.Status
		code       int
		want       string
	}{
		{"healthy from the start", "/healthz", streams.Status{}, http.StatusOK, "healthy\n"},
		{"without tasks", "/readyz", streams.Status{}, http.StatusServiceUnavailable, "no tasks yet\n"},
		{"restoring", "/readyz", restoring, http.StatusServiceUnavailable, "0_1 is restoring\n"},
		{"ready", "/readyz", ready, http.StatusOK, "ready\n"},
		{"stalled", "/healthz", stalled, http.StatusServiceUnavailable, "task 0_1, node \"n\", record t[1]@7: has not returned since "},
		{"metrics of the process", "/metrics", ready, http.StatusOK, "\ngo_goroutines "},
		{"something else", "/", ready, http.StatusNotFound, ""},
	} {
		w := httptest.NewRecorder()
		handler(func() streams.Status { return c.status }, m.handler).ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := Logger(config.Log{Level: "warn", Format: "json"}, &b)
	log.Info("not this")
	log.Warn("this")
	if got := b.String(); strings.Contains(got, "not") || !strings.Contains(got, `"msg":"this"`) {
		t.Errorf("got %s", got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Application, c.Kafka.Brokers = "a", []string{"b:9092"}
	c.Membership.LeaveOnStop, c.InternalTopics.Create = false, false
	c.Processing.Guarantee = "at_least_once"
	s, err := Settings(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if !s.Membership.StayOnStop || !s.InternalTopics.NoCreate || s.Guarantee != streams.AtLeastOnce || s.MemoryBudget != budget.Budget(256<<20).Divide(true).Runtime || s.State.Engine == nil {
		t.Errorf("got %v", s)
	}
	e, err := s.State.Engine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	c.State.Engine = "memory"
	if s, err = Settings(c, slog.New(slog.DiscardHandler)); err != nil || s.State.Engine != nil || s.MemoryBudget != budget.Budget(256<<20).Divide(false).Runtime {
		t.Errorf("without Pebble: %v, %v", s, err)
	}
}

// TestNames: what a configuration may be called is what the runtime takes.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "A-z_0.9", "a b", "a/b", "\u00e4", strings.Repeat("x", 100), strings.Repeat("x", 101)} {
		_, loaded := config.Load(config.Catalog{"t": {}}, config.Sources{Env: []string{"LEAT_APPLICATION=" + name, "LEAT_TOPOLOGY=t", "LEAT_KAFKA_BROKERS=b:9092"}})
		if runs := (streams.Config{Application: name, Brokers: []string{"b:9092"}}).Validate(); (loaded == nil) != (runs == nil) {
			t.Errorf("%q: the configuration says %v, the runtime %v", name, loaded, runs)
		}
	}
}

// TestEmbeddedLeavesSomething: what a broker inside the process cannot take away when it
// stops is an error. It is not parallel: the environment is the process's.
func TestEmbeddedLeavesSomething(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may remove everything")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	ctx, stop := context.WithCancel(t.Context())
	log := Logger(config.Log{}, onWrite(func(line string) {
		if strings.Contains(line, "the broker is inside the process") {
			stop()
			if err := os.Chmod(dir, 0o500); err != nil {
				t.Error(err)
			}
		}
	}))
	b := topology.New()
	b.From(topology.NewTopic("in", serde.String, serde.String)).To(topology.NewTopic("out", serde.String, serde.String))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Application, c.Kafka.Brokers, c.HTTP.Listen, c.Topics = "a", []string{config.Embedded}, "", map[string]string{"in": "in", "out": "out"}
	if err := Run(ctx, c, top, log, io.Discard); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

// onWrite is called with what is written.
type onWrite func(string)

func (fn onWrite) Write(p []byte) (int, error) {
	fn(string(p))
	return len(p), nil
}

// TestMemoryLimit is not parallel: the limit is the process's.
func TestMemoryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	c := config.Default()
	c.Kafka.Brokers, c.Memory.Budget = []string{"b:9092"}, 64<<20
	for _, step := range []struct {
		name   string
		change func()
		want   int64
	}{
		{"the state is in memory", func() { c.State.Engine = "memory" }, math.MaxInt64},
		{"the broker is embedded", func() { c.State.Engine, c.Kafka.Brokers = "pebble", []string{config.Embedded} }, math.MaxInt64},
		{"a budget of 64 MiB", func() { c.Kafka.Brokers = []string{"b:9092"} }, 32 << 20},
		{"one that the environment has set", func() { debug.SetMemoryLimit(1 << 30) }, 1 << 30},
	} {
		step.change()
		limitMemory(c, slog.New(slog.DiscardHandler))
		if got := debug.SetMemoryLimit(-1); got != step.want {
			t.Errorf("%s: the limit is %d, not %d", step.name, got, step.want)
		}
	}
}

// TestSecretFile shows that a secret is read at every login.
func TestSecretFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "token")
	m := mechanism(config.SASL{Mechanism: "OAUTHBEARER", TokenFile: name})
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(name, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, msg, err := m.Authenticate(context.Background(), "host")
		if err != nil || !bytes.Contains(msg, []byte("Bearer "+token+"\x01")) {
			t.Errorf("%s: %q, %v", token, msg, err)
		}
	}
	for _, want := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"} {
		if got := mechanism(config.SASL{Mechanism: want}).Name(); got != want {
			t.Errorf("%s is made a %s", want, got)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	c, err := tlsConfig(config.TLS{CA: cert, Cert: cert, Key: key, ServerName: "kafka"})
	if err != nil || c.RootCAs == nil || len(c.Certificates) != 1 || c.ServerName != "kafka" {
		t.Errorf("got %+v, %v", c, err)
	}
	for want, tl := range map[string]config.TLS{
		"no such file":                   {CA: cert + ".no"},
		"holds no certificate":           {CA: key},
		"kafka.tls.cert":                 {Cert: key, Key: cert},
		"open " + key + ".no: no such f": {Cert: cert, Key: key + ".no"},
	} {
		if _, err := tlsConfig(tl); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// certificate makes one that nobody trusts, and returns the names of its files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		name = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", der)
}

// TestConnect logs in over TLS, with every mechanism that the broker has.
func TestConnect(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(mechanism, "me", "swordfish"),
			kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(broker.Close)
		k := config.Kafka{
			Brokers: broker.ListenAddrs(),
			TLS:     config.TLS{Enabled: true, CA: cert},
			SASL:    config.SASL{Mechanism: mechanism, Username: "me", Password: "swordfish"},
		}
		c, err := Connect(t.Context(), k)
		if err != nil {
			t.Errorf("%s: %v", mechanism, err)
			continue
		}
		c.Close()
		k.SASL.Password = "marlin"
		if _, err := Connect(t.Context(), k); err == nil || !strings.Contains(err.Error(), "kafka.sasl") || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%s with another password: %v", mechanism, err)
		}
	}
}
