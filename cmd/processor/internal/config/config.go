// Package config is what an operator may set: which topology a service runs, on
// which Kafka, with which state. Every key can be given in a file, by environment
// and by flag. It knows no topology and opens nothing.
package config

import "time"

// Config is the effective configuration. The tags are its documentation: key is
// the name in the file, help what --help says, enum what is allowed.
type Config struct {
	Application    string            `key:"application" help:"name of the service: group id, transactional ids and internal topics derive from it"`
	Topology       string            `key:"topology" help:"what to run: see processor topologies"`
	Topics         map[string]string `key:"topics" help:"topics by their part in the topology"`
	Kafka          Kafka             `key:"kafka"`
	Registry       Registry          `key:"registry"`
	State          State             `key:"state"`
	Membership     Membership        `key:"membership"`
	Standby        Standby           `key:"standby"`
	InternalTopics InternalTopics    `key:"internal_topics"`
	Processing     Processing        `key:"processing"`
	Memory         Memory            `key:"memory"`
	HTTP           HTTP              `key:"http"`
	Log            Log               `key:"log"`

	origin map[string]string // where a key's value came from, if not the default
}

// Kafka is how to reach the brokers.
type Kafka struct {
	Brokers []string `key:"brokers" help:"brokers as host:port, or embedded for one inside the process"`
	TLS     TLS      `key:"tls"`
	SASL    SASL     `key:"sasl"`
}

// Embedded is the broker that runs inside the process.
const Embedded = "embedded"

// IsEmbedded reports whether the broker runs inside the process.
func (k Kafka) IsEmbedded() bool { return len(k.Brokers) == 1 && k.Brokers[0] == Embedded }

// TLS is how connections to brokers are encrypted.
type TLS struct {
	Enabled            bool   `key:"enabled" help:"encrypt connections to brokers"`
	CA                 string `key:"ca" help:"PEM file of the authorities to trust; the system's by default"`
	Cert               string `key:"cert" help:"PEM file of the client's certificate"`
	Key                string `key:"key" help:"PEM file of the client's private key"`
	ServerName         string `key:"server_name" help:"name that the brokers' certificates must have; the host's by default"`
	InsecureSkipVerify bool   `key:"insecure_skip_verify" help:"accept any certificate (for tests)"`
}

// SASL is how the service authenticates. Without a mechanism it does not.
type SASL struct {
	Mechanism    string `key:"mechanism" enum:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER" help:"how to authenticate"`
	Username     string `key:"username" help:"user of PLAIN and SCRAM"`
	Password     Secret `key:"password" help:"password of PLAIN and SCRAM"`
	PasswordFile string `key:"password_file" help:"file that holds the password; read anew at every login"`
	Token        Secret `key:"token" help:"token of OAUTHBEARER"`
	TokenFile    string `key:"token_file" help:"file that holds the token; read anew at every login"`
}

// Registry is how to reach the schema registry, if the topology needs one.
type Registry struct {
	URLs         []string      `key:"urls" help:"addresses of the schema registry: http or https, a host and maybe a path"`
	Register     string        `key:"register" enum:"never,internal,always" help:"what the service may register: nothing, its own topics' schemas, or all it writes"`
	Username     string        `key:"username" help:"user of basic authentication"`
	Password     Secret        `key:"password" help:"password of basic authentication"`
	PasswordFile string        `key:"password_file" help:"file that holds the password; read anew for every request"`
	Token        Secret        `key:"token" help:"bearer token"`
	TokenFile    string        `key:"token_file" help:"file that holds the token; read anew for every request"`
	Timeout      time.Duration `key:"timeout" help:"how long one request may take"`
	Wait         time.Duration `key:"wait" help:"how long a registry that does not answer is asked again before the service fails"`
	TLS          RegistryTLS   `key:"tls"`
}

// RegistryTLS is for addresses with https.
type RegistryTLS struct {
	CA         string `key:"ca" help:"PEM file of the authorities to trust; the system's by default"`
	Cert       string `key:"cert" help:"PEM file of the client's certificate"`
	Key        string `key:"key" help:"PEM file of the client's private key"`
	ServerName string `key:"server_name" help:"name that the registry's certificate must have; the host's by default"`
}

// State is where local state is kept.
type State struct {
	Dir           string        `key:"dir" help:"directory of local state; one process at a time may use it"`
	Engine        string        `key:"engine" enum:"pebble,memory" help:"what keeps state"`
	FlushInterval time.Duration `key:"flush_interval" help:"how far on disk may be behind the changelog"`
	FlushBytes    Size          `key:"flush_bytes" help:"likewise, in bytes"`
}

// Membership is the process's place in the group.
type Membership struct {
	InstanceID       string            `key:"instance_id" help:"name of this process among those of the service; made at the first start by default"`
	SessionTimeout   time.Duration     `key:"session_timeout" help:"when a silent process is taken for dead"`
	Heartbeat        time.Duration     `key:"heartbeat_interval" help:"how often the group is asked whether something has changed"`
	RebalanceTimeout time.Duration     `key:"rebalance_timeout" help:"how long a rebalance waits for a process that has to commit"`
	Rack             string            `key:"rack" help:"where the process runs, to read from the nearest replica"`
	Tags             map[string]string `key:"tags" help:"where the process is, for standby.spread_by: rack, zone"`
	LeaveOnStop      bool              `key:"leave_on_stop" help:"give up tasks at a stop; false keeps them until the session times out"`
}

// Standby says which copies of state are kept beside the one that is worked on.
type Standby struct {
	Replicas      int      `key:"replicas" help:"other processes that follow each task's state, to take it over at once"`
	AcceptableLag int      `key:"acceptable_lag" help:"changelog records that a process may lack to be given a task before it has caught up"`
	MaxWarmups    int      `key:"max_warmups" help:"tasks of the service that may be on their way to a process that has to catch up"`
	SpreadBy      []string `key:"spread_by" help:"tags in which the copies of a task are to differ, the most important first"`
}

// InternalTopics says how repartition and changelog topics are made.
type InternalTopics struct {
	ReplicationFactor int                          `key:"replication_factor" help:"replicas of internal topics; -1 is the broker's default"`
	Create            bool                         `key:"create" help:"create missing internal topics; false refuses to start without them"`
	Configs           map[string]map[string]string `key:"configs" help:"topic configurations by topic"`
}

// Processing is how records are processed.
type Processing struct {
	Guarantee          string        `key:"guarantee" enum:"exactly_once,at_least_once" help:"what a crash may do to results"`
	CommitInterval     time.Duration `key:"commit_interval" help:"longest time between commits"`
	TransactionTimeout time.Duration `key:"transaction_timeout" help:"when the broker gives up a transaction whose producer is silent"`
	ShutdownTimeout    time.Duration `key:"shutdown_timeout" help:"how long a stop may take"`
	StallTimeout       time.Duration `key:"stall_timeout" help:"when code that does not return is taken for stuck; 0 is never"`
	MaxTaskIdle        time.Duration `key:"max_task_idle" help:"how long a task waits for an input that has nothing new"`
	Workers            int           `key:"workers" help:"goroutines that process; 0 is one per CPU"`
	MaxRecordBytes     Size          `key:"max_record_bytes" help:"largest record that is written; no more than the topics' max.message.bytes"`
	DecodeFailures     string        `key:"decode_failures" enum:"fail,skip,dead_letter" help:"what becomes of records that cannot be decoded"`
	ProcessFailures    string        `key:"process_failures" enum:"fail,skip,dead_letter" help:"what becomes of records that the topology fails on"`
	ProduceFailures    string        `key:"produce_failures" enum:"fail,skip,dead_letter" help:"what becomes of records whose results the brokers refuse"`
	ProcessRetries     int           `key:"process_retries" help:"how often a record that the topology fails on is tried again first"`
	RetryBackoff       time.Duration `key:"retry_backoff" help:"wait before the first of these; each further one waits twice as long"`
	FailureLimit       int           `key:"failure_limit" help:"records that may be passed over in failure_period before the service stops; 0 is any number"`
	FailurePeriod      time.Duration `key:"failure_period" help:"the time that failure_limit is for"`
	DeadLetterTopic    string        `key:"dead_letter_topic" help:"topic of dead letters"`
}

// Memory bounds what the process takes. State that is kept in memory comes on top, and so
// does an embedded broker.
type Memory struct {
	Budget Size `key:"budget" help:"memory that the process may take"`
}

// HTTP is where the process can be asked how it is.
type HTTP struct {
	Listen  string `key:"listen" help:"address of /healthz, /readyz and /metrics; empty for none"`
	Control bool   `key:"control" help:"also serve POST /pause and /resume, to whoever can reach the address"`
}

// Log is what is logged.
type Log struct {
	Level  string `key:"level" enum:"debug,info,warn,error" help:"least level that is logged"`
	Format string `key:"format" enum:"text,json" help:"form of the log"`
}

// Default returns the configuration that holds where nothing is set.
func Default() *Config {
	return &Config{
		Topics:         map[string]string{},
		Registry:       Registry{Register: "never", Timeout: 5 * time.Second, Wait: 30 * time.Second},
		State:          State{Dir: "./data", Engine: "pebble", FlushInterval: 10 * time.Second, FlushBytes: 64 << 20},
		Membership:     Membership{SessionTimeout: 10 * time.Second, Heartbeat: 200 * time.Millisecond, RebalanceTimeout: time.Minute, LeaveOnStop: true, Tags: map[string]string{}},
		Standby:        Standby{AcceptableLag: 10_000, MaxWarmups: 4},
		InternalTopics: InternalTopics{ReplicationFactor: -1, Create: true},
		Processing: Processing{
			Guarantee: "exactly_once", CommitInterval: 100 * time.Millisecond, TransactionTimeout: 10 * time.Second,
			ShutdownTimeout: 30 * time.Second, StallTimeout: time.Minute, MaxRecordBytes: 1_000_000, DecodeFailures: "fail", ProcessFailures: "fail",
			ProduceFailures: "fail", RetryBackoff: time.Second, FailurePeriod: time.Minute,
		},
		Memory: Memory{Budget: 256 << 20},
		HTTP:   HTTP{Listen: "127.0.0.1:8080"},
		Log:    Log{Level: "info", Format: "text"},
		origin: map[string]string{},
	}
}
