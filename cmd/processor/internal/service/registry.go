package service

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/pkg/serde/registry"
)

var registrations = map[string]registry.Registration{"never": registry.Never, "internal": registry.Internal, "always": registry.Always}

// Schemas is the configured registry. It is not asked yet.
func Schemas(r config.Registry, log *slog.Logger) (topologies.Schemas, error) {
	security, err := registryTLS(r.TLS)
	if err != nil {
		return topologies.Schemas{}, err
	}
	if err := readable(r.PasswordFile, r.TokenFile); err != nil {
		return topologies.Schemas{}, fmt.Errorf("registry: %w", errors.Unwrap(err))
	}
	client, err := registry.New(registry.Config{URLs: r.URLs, Authorize: authorize(r), TLS: security, Timeout: r.Timeout, Wait: r.Wait, Logger: log})
	if err != nil {
		return topologies.Schemas{}, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), "registry: URLs", "registry.urls"))
	}
	return topologies.Schemas{Client: client, Register: registrations[r.Register]}, nil
}

func registryTLS(t config.RegistryTLS) (*tls.Config, error) {
	c, err := tlsConfig(config.TLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName})
	if err != nil {
		return nil, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), "kafka.tls", "registry.tls"))
	}
	return c, nil
}

// authorize reads secrets anew for every request, so that they can be changed while the
// service runs.
func authorize(r config.Registry) func(*http.Request) error {
	return func(req *http.Request) error {
		switch {
		case r.Token != "" || r.TokenFile != "":
			token, err := secret(r.Token, r.TokenFile)
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer "+token)
		case r.Username != "":
			password, err := secret(r.Password, r.PasswordFile)
			if err != nil {
				return err
			}
			req.SetBasicAuth(r.Username, password)
		}
		return nil
	}
}
