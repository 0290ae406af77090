package instance

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
)

// clientOptions are those of every client; a role tells them apart in a broker's
// log. The one called admin is the first.
func (in *Instance) clientOptions(role string) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(in.cfg.Brokers...),
		kgo.ClientID(in.cfg.App + "-" + in.identity.InstanceID + "-" + role),
		kgo.SoftwareNameAndVersion("leat", "v0"),
		kgo.WithLogger(clientLog{in.log.With("client", role)}),
		// A partition or coordinator that has moved is to be found within a second or so.
		kgo.MetadataMinAge(time.Second),
		kgo.RetryBackoffFn(kafka.Backoff),
		kgo.RequestRetries(1000), // it is time that bounds them
	}
	if in.cfg.Rack != "" {
		opts = append(opts, kgo.Rack(in.cfg.Rack))
	}
	if role != "admin" { // which has shown that the configuration is right
		opts = append(opts, kgo.AlwaysRetryEOF())
	}
	return append(opts, in.cfg.ClientOptions...)
}

// clientLog hands the Kafka client's log on. What the client calls information is
// detail here.
type clientLog struct{ log *slog.Logger }

func (l clientLog) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

func (l clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	if level == kgo.LogLevelError {
		to = slog.LevelWarn
	}
	l.log.Log(context.Background(), to, "kafka client: "+msg, keyvals...)
}
