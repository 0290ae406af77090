package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/pkg/serde"
)

// An authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	a.cert, a.key = template, nil
	a.cert, a.key = a.sign("ca", template)
	return a
}

// sign makes a certificate and its files, <name>.pem and <name>-key.pem. Without a key
// the authority signs itself.
func (a *authority) sign(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	public, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name: {Type: "CERTIFICATE", Bytes: public}, name + "-key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(public)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name+".pem") }

// issue is sign for somebody who is called name, at this machine.
func (a *authority) issue(name string, until time.Duration) {
	a.sign(name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(until), NotBefore: time.Now().Add(-2 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

// registryFor serves a registry to those who have a certificate of a's, and has the
// schemas of orders-avro registered.
func registryFor(t *testing.T, a *authority) (url string) {
	t.Helper()
	fake := srfake.New()
	t.Cleanup(fake.Close)
	a.issue("server", time.Hour)
	pair, err := tls.LoadX509KeyPair(a.file("server"), a.file("server-key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	server := httptest.NewUnstartedServer(fake.Handler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// A registry that demands a certificate of its clients is reached with the one that the
// configuration names; without it, or with one of somebody else's, the service stops at
// once with what is wrong.
func TestRegistryCertificate(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	url := registryFor(t, ours)
	ours.issue("client", time.Hour)
	ours.issue("expired", -time.Hour)
	others.issue("client", time.Hour)
	entry, ok := topologies.Find("orders-avro")
	if !ok {
		t.Fatal("no orders-avro")
	}
	for _, c := range []struct {
		name string
		ca   *authority
		cert *authority // nil: none
		of   string
		want string // "": it works
	}{
		{"the right one", ours, ours, "client", ""},
		{"none", ours, nil, "", "it ends the TLS handshake with \"tls: certificate required\""},
		{"one of another authority", ours, others, "client", "\"tls: certificate required\": the client's certificate must be of an authority that the registry trusts"}, // it is not shown to who does not
		{"an expired one", ours, ours, "expired", "it ends the TLS handshake with \"tls: expired certificate\""},
		{"another server than is trusted", others, ours, "client", "x509: certificate signed by unknown authority"},
	} {
		file := filepath.Join(t.TempDir(), "orders.yaml")
		text := fmt.Sprintf("application: orders\ntopology: orders-avro\nkafka: {brokers: [\"localhost:9092\"]}\nregistry:\n  urls: [%q]\n  register: always\n  wait: 1h\n  tls:\n    ca: %s\n", url, c.ca.file("ca"))
		if c.cert != nil {
			text += fmt.Sprintf("    cert: %s\n    key: %s\n", c.cert.file(c.of), c.cert.file(c.of+"-key"))
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(catalog(), config.Sources{File: file})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		with, err := withSchemas(entry, cfg, io.Discard)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		top, err := with.Build(cfg.Topics)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		err = top.Plan().Check(t.Context(), "orders")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (!errors.Is(err, serde.ErrUnavailable) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v", c.name, err)
		}
	}
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders", "customers", "enriched-orders", "orders-rejected"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	call(t, "run", "-c", configs+"orders-avro.yaml", "--kafka.brokers="+broker.ListenAddrs()[0], "--registry.urls="+url, "--registry.tls.ca="+ours.file("ca"),
		"--state.dir="+t.TempDir(), "--http.listen=").expect(t, exitFailed, "tls: certificate required")
}
