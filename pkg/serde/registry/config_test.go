package registry

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
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
// credentials. Being refused is no fault of a record's, and is not waited for.
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
		cfg := Config{URLs: []string{server.URL}, TLS: &tls.Config{RootCAs: pool}, Wait: time.Hour}
		c.edit(&cfg)
		client, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, err = serde.At(client.Serde(text{field: "a"}, Options{}), inValue).Append(nil, "x")
		if refused := errors.Is(err, serde.ErrUnavailable); refused != (err != nil) || refused != (c.name == "none") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Whoever is no registry, or lets nobody in, is told from one that is away: more of the
// same would be the answer, so that nothing waits, and the error says what to look at.
func TestRefused(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	plain := func(h http.Handler) *httptest.Server { return httptest.NewServer(h) }
	for _, c := range []struct {
		name   string
		serve  func(http.Handler) *httptest.Server
		answer func(http.ResponseWriter, *http.Request)
		edit   func(*Config)
		want   string
	}{
		{"another path", plain, answer(404, "<html>Not Found</html>"), nil, "answered with 404 Not Found, and not as by a registry; is this its address?"},
		{"another path of a registry", plain, answer(404, `{"error_code":404,"message":"HTTP 404 Not Found"}`), nil, "and not as by a registry"},
		{"another service", plain, answer(200, "<html>Hello</html>"), nil, "it does not answer as a registry does"},
		{"no rights", plain, answer(403, `{"error_code":40301,"message":"User is denied operation"}`), nil, "403 Forbidden: the credentials do not allow it"},
		{"no credentials", plain, answer(401, ""), nil, "401 Unauthorized: it wants other credentials"},
		{"an authority that is not known", httptest.NewTLSServer, answer(200, "{}"), nil, "x509"},
		{"a secret that cannot be read", plain, answer(200, "{}"), func(c *Config) {
			c.Authorize = func(*http.Request) error { return errors.New("no such file") }
		}, "unavailable: credentials: no such file"},
	} {
		server := c.serve(http.HandlerFunc(c.answer))
		t.Cleanup(server.Close)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		cfg := Config{URLs: []string{server.URL}, Wait: time.Hour, Logger: slog.New(slog.DiscardHandler)}
		if c.edit != nil {
			c.edit(&cfg)
		}
		client, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		s := serde.At(client.Serde(text{field: "a"}, Options{}), inValue)
		_, decode := s.Decode([]byte{0, 0, 0, 0, 7, 'x'})
		for _, err := range []error{serde.Start(t.Context(), serde.Reads|serde.Writes, s), decode} {
			if !errors.Is(err, serde.ErrUnavailable) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

// encrypted is a registry that speaks HTTP/2, and how to reach it.
func encrypted(t *testing.T, answer http.HandlerFunc) Config {
	server := httptest.NewUnstartedServer(answer)
	server.EnableHTTP2, server.Config.ErrorLog = true, log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return Config{URLs: []string{server.URL}, TLS: &tls.Config{RootCAs: pool}, Wait: time.Minute, Logger: slog.New(slog.DiscardHandler)}
}

// An answer that is cut off is none, in whatever way the connection says so: the registry
// is asked again, and nothing is held against the record.
func TestCutOff(t *testing.T) {
	t.Parallel()
	body := fmt.Sprintf(`{"schema": %q}`, text{field: "a"}.Schema().Text)
	var calls atomic.Int64
	cfg := encrypted(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) > 1 {
			_, _ = io.WriteString(w, body)
			return
		}
		_, _ = io.WriteString(w, body[:10])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	v, err := serde.At(client.Serde(text{field: "a"}, Options{}), inValue).Decode([]byte("\x00\x00\x00\x00\x01x"))
	if err != nil || v != "x" || calls.Load() != 2 {
		t.Errorf("after %d calls: %q, %v", calls.Load(), v, err)
	}
	if len(cfg.TLS.NextProtos) > 0 {
		t.Errorf("the caller's tls.Config was changed: %v", cfg.TLS.NextProtos)
	}
}

// What is no answer is told from one that the record is to be blamed for.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	var other sr.Schema
	language := json.Unmarshal([]byte(`{"schema": "x", "schemaType": "XML"}`), &other)
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("stream error: stream ID 1; INTERNAL_ERROR"), true},
		{fmt.Errorf("unable to read: %w", io.ErrUnexpectedEOF), true},
		{&sr.ResponseError{StatusCode: 503}, true},
		{&sr.ResponseError{StatusCode: 404, ErrorCode: 40403}, false},
		{fmt.Errorf("reference: %w", ErrNotRegistered), false},
		{errTooDeep, false},
		{fmt.Errorf("unable to decode: %w", language), false},
	} {
		if got := unanswered(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
