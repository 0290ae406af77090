package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/leatstream/leat/pkg/serde"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{URLs: []string{"http://a:8081/apis/ccompat/v7", "https://b"}, User: "u", Password: "p"}); err != nil {
		t.Error(err)
	}
	_, err := New(Config{URLs: []string{"localhost:8081", "http://u:p@h"}, Password: "p", Timeout: -1})
	for _, want := range []string{`"localhost:8081": write http://`, "ends up in logs", "there is no User", "cannot be negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "u:p@") {
		t.Errorf("%v shows a password", err)
	}
	c := Config{URLs: []string{"http://a"}, User: "u", Password: "secret", Token: "secret"}
	if s := c.String(); strings.Contains(s, "secret") || !strings.Contains(s, "wait=30s") {
		t.Error(s)
	}
}

// The registry is reached over TLS with its own authority, and with each kind of
// credentials; without them it is an answer, not an outage.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	const basic, bearer = "Basic dTpw", "Bearer t"
	for _, c := range []struct {
		name, wants string
		edit        func(*Config)
	}{
		{"basic", basic, func(c *Config) { c.User, c.Password = "u", "p" }},
		{"bearer", bearer, func(c *Config) { c.Token = "t" }},
		{"custom", "x", func(c *Config) {
			c.Authorize = func(r *http.Request) error { r.Header.Set("Authorization", "x"); return nil }
		}},
		{"none", basic, func(*Config) {}},
	} {
		fake := srfake.NewRegistry(srfake.WithAuth(c.wants))
		if _, _, err := fake.RegisterSchema("in-value", wire(text{field: "a"}.Schema(), nil)); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewTLSServer(fake.Handler())
		t.Cleanup(server.Close)
		pool := x509.NewCertPool()
		pool.AddCert(server.Certificate())
		cfg := Config{URLs: []string{server.URL}, TLS: &tls.Config{RootCAs: pool}, Wait: time.Second}
		c.edit(&cfg)
		client, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, err = serde.At(client.Serde(text{field: "a"}, Options{}), inValue).Append(nil, "x")
		if failed := err != nil; failed != (c.name == "none") || errors.Is(err, serde.ErrUnavailable) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
