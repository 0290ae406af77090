package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/leatstream/leat/cmd/processor/internal/config"
)

// clientOptions are what every Kafka client needs to get in: TLS and SASL.
func clientOptions(k config.Kafka) ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if k.TLS.Enabled {
		c, err := tlsConfig(k.TLS)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(c))
	}
	if k.SASL.Mechanism != "" {
		if err := readable(k.SASL.PasswordFile, k.SASL.TokenFile); err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism(k.SASL)))
	}
	return opts, nil
}

func tlsConfig(t config.TLS) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca: %s holds no certificate in PEM form", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert and kafka.tls.key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func readable(files ...string) error {
	for _, name := range files {
		if _, err := secret("", name); err != nil {
			return fmt.Errorf("kafka.sasl: %w", err)
		}
	}
	return nil
}

// secret returns s, or what the file of that name holds now, if there is one.
func secret(s config.Secret, name string) (string, error) {
	if name == "" {
		return string(s), nil
	}
	text, err := os.ReadFile(name)
	return strings.TrimRight(string(text), "\r\n"), err
}

// mechanism reads secrets anew at every login, so that they can be changed while
// the service runs.
func mechanism(s config.SASL) sasl.Mechanism {
	password := func() (string, error) { return secret(s.Password, s.PasswordFile) }
	scramAuth := func(context.Context) (scram.Auth, error) {
		pass, err := password()
		return scram.Auth{User: s.Username, Pass: pass}, err
	}
	switch s.Mechanism {
	case "SCRAM-SHA-256":
		return scram.Sha256(scramAuth)
	case "SCRAM-SHA-512":
		return scram.Sha512(scramAuth)
	case "OAUTHBEARER":
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token, err := secret(s.Token, s.TokenFile)
			return oauth.Auth{Token: token}, err
		})
	}
	return plain.Plain(func(context.Context) (plain.Auth, error) {
		pass, err := password()
		return plain.Auth{User: s.Username, Pass: pass}, err
	})
}

// answerIn is how long the brokers have to answer the first request.
const answerIn = 10 * time.Second

// Connect returns a client of the configured brokers, which have answered it.
func Connect(ctx context.Context, k config.Kafka, opts ...kgo.Opt) (*kgo.Client, error) {
	if k.IsEmbedded() {
		return nil, errors.New("kafka.brokers: the embedded broker is inside the process that runs the topology: give that broker's address, which is in its log")
	}
	auth, err := clientOptions(k)
	if err != nil {
		return nil, err
	}
	c, err := kgo.NewClient(append(append(auth, kgo.SeedBrokers(k.Brokers...)), opts...)...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	if err := c.Ping(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("no broker of %s answers: %w: start Kafka there, or set kafka.brokers, kafka.tls and kafka.sasl as it is set up", strings.Join(k.Brokers, ", "), err)
	}
	return c, nil
}
