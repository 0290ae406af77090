package config

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"time"
)

// validate finds values that are wrong by themselves or do not go together.
func (c *Config) validate() error {
	v := validator{c: c}
	v.check(c.Application != "", "application", "give the service a name: its group id, transactional ids and internal topics derive from it")
	v.name(c.Application, "application")
	v.name(c.Membership.InstanceID, "membership.instance_id")
	v.kafka()
	v.sasl()
	v.registry()
	v.processing()
	v.standby()
	v.check(c.State.Dir != "" || c.State.Engine == "memory", "state.dir", "pebble needs a directory; or set state.engine to memory")
	for path, d := range map[string]time.Duration{
		"processing.commit_interval":     c.Processing.CommitInterval,
		"processing.transaction_timeout": c.Processing.TransactionTimeout,
		"processing.shutdown_timeout":    c.Processing.ShutdownTimeout,
		"membership.session_timeout":     c.Membership.SessionTimeout,
		"membership.rebalance_timeout":   c.Membership.RebalanceTimeout,
		"processing.retry_backoff":       c.Processing.RetryBackoff,
		"processing.failure_period":      c.Processing.FailurePeriod,
		"state.flush_interval":           c.State.FlushInterval,
	} {
		v.check(d > 0, path, "%v is not more than 0", d)
	}
	v.check(c.Membership.Heartbeat > 0 && c.Membership.Heartbeat <= c.Membership.SessionTimeout/3, "membership.heartbeat_interval", "%v is not more than 0 and no more than a third of membership.session_timeout, %v", c.Membership.Heartbeat, c.Membership.SessionTimeout)
	v.check(c.Memory.Budget >= least(c), "memory.budget", "it must be at least %v, with processing.max_record_bytes of %v", least(c), c.Processing.MaxRecordBytes)
	v.check(c.Processing.MaxRecordBytes > 0 && c.Processing.MaxRecordBytes < 1<<31, "processing.max_record_bytes", "it must be more than 0 and less than 2GiB")
	v.check(c.State.FlushBytes > 0, "state.flush_bytes", "it must be more than 0")
	slices.SortFunc(v.errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(v.errs...)
}

// Placed finds tags that a process must have to run, and does not say. It is not part of what
// Load checks: whoever only asks about a service may share its file, but is in no zone of it.
func (c *Config) Placed() error {
	v := validator{c: c}
	for _, tag := range c.Standby.SpreadBy {
		_, has := c.Membership.Tags[tag]
		v.check(has, "standby.spread_by", "membership.tags has no %s: say where this process is, or do not spread by it", tag)
	}
	return errors.Join(v.errs...)
}

// least is the memory in which a service can move, however large its records: each of its
// partitions, producers and requests may hold one of the largest.
func least(c *Config) Size {
	const unit = 1 << 20
	return (64*unit + 64*c.Processing.MaxRecordBytes + unit - 1) / unit * unit
}

type validator struct {
	c    *Config
	errs []error
}

func (v *validator) check(ok bool, path, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, v.c.Fault(path, format, args...))
	}
}

var legalName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,100}$`) // streams.Config.Validate's

// name checks a name that becomes part of topics', groups' or transactions' names, if it is set.
func (v *validator) name(name, path string) {
	v.check(name == "" || legalName.MatchString(name), path, "%q is no name: use 1 to 100 of a-z, A-Z, 0-9, '.', '_' and '-'", name)
}

// standby refuses 0 where the runtime takes that for its default.
func (v *validator) standby() {
	s := v.c.Standby
	v.check(s.Replicas >= 0, "standby.replicas", "%d is less than 0", s.Replicas)
	v.check(s.AcceptableLag > 0, "standby.acceptable_lag", "%d is not more than 0: 1 is the least", s.AcceptableLag)
	v.check(s.MaxWarmups > 0, "standby.max_warmups", "%d is not more than 0: 1 is the least", s.MaxWarmups)
}

func (v *validator) kafka() {
	k := v.c.Kafka
	v.check(len(k.Brokers) > 0, "kafka.brokers", "name at least one broker as host:port, or [embedded]")
	v.check(len(k.Brokers) < 2 || !slices.Contains(k.Brokers, Embedded), "kafka.brokers", "embedded stands alone: name brokers, or only embedded")
	v.check(!k.IsEmbedded() || !k.TLS.Enabled, "kafka.tls.enabled", "the embedded broker has no TLS")
	v.check(!k.IsEmbedded() || k.SASL.Mechanism == "", "kafka.sasl.mechanism", "the embedded broker has no SASL")
	t := k.TLS
	given := t.CA != "" || t.Cert != "" || t.Key != "" || t.ServerName != "" || t.InsecureSkipVerify
	v.check(t.Enabled || !given, "kafka.tls.enabled", "other keys of kafka.tls are set: set this one to true, or remove them")
	v.check((t.Cert == "") == (t.Key == ""), "kafka.tls.cert", "a certificate and its key go together: set kafka.tls.cert and kafka.tls.key, or neither")
}

func (v *validator) registry() {
	r := v.c.Registry
	v.check(r.Password == "" || r.PasswordFile == "", "registry.password", "there is a password_file, too: remove one")
	v.check(r.Token == "" || r.TokenFile == "", "registry.token", "there is a token_file, too: remove one")
	v.check(r.Username == "" || r.Token == "" && r.TokenFile == "", "registry.username", "there is a token, too: remove one")
	v.check(r.Username != "" || r.Password == "" && r.PasswordFile == "", "registry.username", "there is a password: whose is it?")
	v.check((r.TLS.Cert == "") == (r.TLS.Key == ""), "registry.tls.cert", "a certificate and its key go together: set registry.tls.cert and registry.tls.key, or neither")
	v.check(r.Timeout > 0, "registry.timeout", "%v is not more than 0", r.Timeout)
	v.check(r.Wait > 0, "registry.wait", "%v is not more than 0", r.Wait)
}

func (v *validator) sasl() {
	s := v.c.Kafka.SASL
	v.check(s.Password == "" || s.PasswordFile == "", "kafka.sasl.password", "there is a password_file, too: remove one")
	v.check(s.Token == "" || s.TokenFile == "", "kafka.sasl.token", "there is a token_file, too: remove one")
	switch s.Mechanism {
	case "":
		set := s.Username != "" || s.Password != "" || s.PasswordFile != "" || s.Token != "" || s.TokenFile != ""
		v.check(!set, "kafka.sasl.mechanism", "other keys of kafka.sasl are set: choose a mechanism, or remove them")
	case "OAUTHBEARER":
		v.check(s.Token != "" || s.TokenFile != "", "kafka.sasl.mechanism", "OAUTHBEARER needs kafka.sasl.token or kafka.sasl.token_file")
	default:
		v.check(s.Username != "" && (s.Password != "" || s.PasswordFile != ""), "kafka.sasl.mechanism", "%s needs kafka.sasl.username and kafka.sasl.password or kafka.sasl.password_file", s.Mechanism)
	}
}

func (v *validator) processing() {
	p := v.c.Processing
	v.check(p.Workers >= 0, "processing.workers", "%d is less than 0; 0 is one per CPU", p.Workers)
	v.check(p.TransactionTimeout > p.CommitInterval, "processing.transaction_timeout", "%v is not more than the commit interval of %v", p.TransactionTimeout, p.CommitInterval)
	v.check(p.ProcessRetries >= 0, "processing.process_retries", "%d is less than 0", p.ProcessRetries)
	v.check(p.FailureLimit >= 0, "processing.failure_limit", "%d is less than 0; 0 is any number", p.FailureLimit)
	dead := p.DecodeFailures == "dead_letter" || p.ProcessFailures == "dead_letter" || p.ProduceFailures == "dead_letter"
	v.check(!dead || p.DeadLetterTopic != "", "processing.dead_letter_topic", "name the topic that dead letters go to")
	factor := v.c.InternalTopics.ReplicationFactor
	v.check(factor == -1 || factor >= 1 && factor < 1<<15, "internal_topics.replication_factor", "%d is neither -1, the broker's default, nor a number of replicas", factor)
}
