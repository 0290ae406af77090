package service

import (
	"cmp"
	"log/slog"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// Settings are the runtime's settings that a configuration makes.
func Settings(c *config.Config, log *slog.Logger) (streams.Config, error) {
	auth, err := clientOptions(c.Kafka)
	if err != nil {
		return streams.Config{}, err
	}
	memory, engine := divide(c, log)
	return streams.Config{
		Application:   c.Application,
		Brokers:       c.Kafka.Brokers,
		ClientOptions: auth,
		State: streams.State{
			Dir:           c.State.Dir,
			Engine:        engine,
			FlushInterval: c.State.FlushInterval,
			FlushBytes:    int64(c.State.FlushBytes),
		},
		Membership: streams.Membership{
			InstanceID:        c.Membership.InstanceID,
			Rack:              c.Membership.Rack,
			SessionTimeout:    c.Membership.SessionTimeout,
			HeartbeatInterval: c.Membership.Heartbeat,
			RebalanceTimeout:  c.Membership.RebalanceTimeout,
			StayOnStop:        !c.Membership.LeaveOnStop,
			Tags:              c.Membership.Tags,
		},
		Standby: streams.Standby{
			Replicas:      c.Standby.Replicas,
			AcceptableLag: int64(c.Standby.AcceptableLag),
			MaxWarmups:    c.Standby.MaxWarmups,
			SpreadBy:      c.Standby.SpreadBy,
		},
		InternalTopics: streams.InternalTopics{
			ReplicationFactor: int16(c.InternalTopics.ReplicationFactor),
			NoCreate:          !c.InternalTopics.Create,
			Configs:           c.InternalTopics.Configs,
		},
		Failures: streams.Failures{
			Decode:          policies[c.Processing.DecodeFailures],
			Process:         policies[c.Processing.ProcessFailures],
			Produce:         policies[c.Processing.ProduceFailures],
			DeadLetterTopic: c.Processing.DeadLetterTopic,
			Retries:         c.Processing.ProcessRetries,
			RetryBackoff:    c.Processing.RetryBackoff,
			Limit:           int64(c.Processing.FailureLimit),
			LimitPer:        c.Processing.FailurePeriod,
		},
		Guarantee:          guarantees[c.Processing.Guarantee],
		CommitInterval:     c.Processing.CommitInterval,
		MaxTaskIdle:        c.Processing.MaxTaskIdle,
		Workers:            c.Processing.Workers,
		MemoryBudget:       memory,
		MaxRecordBytes:     int(c.Processing.MaxRecordBytes),
		TransactionTimeout: c.Processing.TransactionTimeout,
		ShutdownTimeout:    c.Processing.ShutdownTimeout,
		StallTimeout:       cmp.Or(c.Processing.StallTimeout, -1),
		Logger:             log,
	}, nil
}

var (
	policies   = map[string]topology.Policy{"fail": topology.Fail, "skip": topology.Skip, "dead_letter": topology.DeadLetter}
	guarantees = map[string]streams.Guarantee{"exactly_once": streams.ExactlyOnce, "at_least_once": streams.AtLeastOnce}
)
