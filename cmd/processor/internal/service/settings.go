package service

import (
	"cmp"
	"log/slog"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// Settings are the runtime's settings that a configuration makes.
func Settings(c *config.Config, log *slog.Logger) (streams.Config, error) {
	auth, err := clientOptions(c.Kafka)
	if err != nil {
		return streams.Config{}, err
	}
	memory := divide(c)
	return streams.Config{
		Application:   c.Application,
		Brokers:       c.Kafka.Brokers,
		ClientOptions: auth,
		State: streams.State{
			Dir:           c.State.Dir,
			Engine:        memory.engine(log),
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
		MemoryBudget:       memory.runtime,
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

// shares are the parts of the memory budget.
type shares struct {
	runtime  int64
	cache    int64 // of Pebble
	memTable int64 // of Pebble, which has two; 0 without Pebble
}

// divide gives Pebble half of the budget, half of that for its cache.
func divide(c *config.Config) shares {
	budget := int64(c.Memory.Budget)
	if c.State.Engine == "memory" {
		return shares{runtime: budget}
	}
	return shares{runtime: budget / 2, cache: budget / 4, memTable: budget / 8}
}

func (s shares) engine(log *slog.Logger) func(dir string) (store.Engine, error) {
	if s.memTable == 0 {
		return nil
	}
	return func(dir string) (store.Engine, error) {
		e, err := pebble.Open(dir, pebble.Options{CacheBytes: s.cache, MemTableBytes: s.memTable, Logger: log})
		if err != nil {
			return nil, err
		}
		return e, nil
	}
}
