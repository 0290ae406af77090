// Package registry makes serdes whose bytes name the schema that they were written
// with, as Confluent's clients do, and looks the schemas up in a registry with
// Confluent's interface. What the bytes behind the name mean is the business of a
// serde.Schematic: see the packages avro, protobuf and jsonschema.
package registry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// Config says how to reach a registry. URLs is required; the zero value of every other
// field means its default.
type Config struct {
	// URLs are addresses of one registry: http or https, a host and maybe a path. The
	// next one is tried when one does not answer.
	URLs []string
	// User and Password are those of basic authentication.
	User, Password string
	// Token is that of bearer authentication.
	Token string
	// Authorize is called for each request, for credentials that change.
	Authorize func(*http.Request) error
	// TLS is for addresses with https: authorities to trust, a client's certificate.
	TLS *tls.Config
	// Timeout bounds one request: 5 s by default.
	Timeout time.Duration
	// Wait bounds how long a serde waits, asking again and again, for a registry that
	// does not answer: 30 s by default. The wait keeps everything waiting that runs in
	// the same goroutine: of a task, all tasks of its worker. It should be shorter than
	// the time after which a consumer is thrown out of its group would hurt, and longer
	// than the registry's restart.
	Wait time.Duration
	// Logger is slog.Default() by default.
	Logger *slog.Logger
}

// Validate reports every fault of c at once.
func (c Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("registry: "+format, args...))
	}
	if len(c.URLs) == 0 {
		fail("URLs: name at least one")
	}
	for _, u := range c.URLs {
		switch p, err := url.Parse(u); {
		case err != nil:
			fail("URLs: %w", err)
		case p.Scheme != "http" && p.Scheme != "https" || p.Host == "":
			fail("URLs: %q: write http:// or https:// and a host", p.Redacted())
		case p.User != nil:
			fail("URLs: %q: a password in an address ends up in logs: use User and Password", p.Redacted())
		}
	}
	if c.Password != "" && c.User == "" {
		fail("Password: there is no User")
	}
	if c.Token != "" && c.User != "" {
		fail("Token and User: choose one")
	}
	if c.Timeout < 0 || c.Wait < 0 {
		fail("Timeout %v, Wait %v: they cannot be negative", c.Timeout, c.Wait)
	}
	return errors.Join(errs...)
}

// String prints the effective configuration without its secrets.
func (c Config) String() string {
	c = c.withDefaults()
	auth := "none"
	switch {
	case c.Authorize != nil:
		auth = "custom"
	case c.Token != "":
		auth = "bearer"
	case c.User != "":
		auth = "basic as " + c.User
	}
	return fmt.Sprintf("urls=%s auth=%q timeout=%v wait=%v", strings.Join(c.URLs, ","), auth, c.Timeout, c.Wait)
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Wait == 0 {
		c.Wait = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) client() (*sr.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS.Clone() // the transport adds its protocols to it
	opts := []sr.ClientOpt{
		sr.URLs(c.URLs...),
		sr.HTTPClient(&http.Client{Timeout: c.Timeout, Transport: transport}),
		sr.UserAgent("leat"),
		sr.LogFn(func(int8, string, ...any) {}),
	}
	if c.User != "" {
		opts = append(opts, sr.BasicAuth(c.User, c.Password))
	}
	if c.Token != "" {
		opts = append(opts, sr.BearerToken(c.Token))
	}
	if c.Authorize != nil {
		opts = append(opts, sr.PreReq(func(r *http.Request) error {
			if err := c.Authorize(r); err != nil {
				return &credentialsError{err}
			}
			return nil
		}))
	}
	return sr.NewClient(opts...)
}
