package config

import (
	"strings"
	"testing"
)

// mistakes are what is said of each mistake: where it is and what to do.
var mistakes = []struct {
	name, file string
	env, args  []string
	want       string
}{
	{name: "unknown key", file: minimal + "procesing: {workers: 2}\n",
		want: "c.yaml:4: unknown key procesing; did you mean processing?"},
	{name: "unknown key in a section", file: minimal + "processing:\n  workers: 2\n  comit_interval: 1s\n",
		want: "c.yaml:6: unknown key processing.comit_interval; did you mean processing.commit_interval?"},
	{name: "key in the wrong section", file: minimal + "commit_interval: 1s\n",
		want: "c.yaml:4: unknown key commit_interval; did you mean processing.commit_interval?"},
	{name: "unknown key without a likeness", file: minimal + "x: 1\n",
		want: "c.yaml:4: unknown key x"},
	{name: "several", file: minimal + "a1: 1\nb2: 2\n",
		want: "c.yaml:4: unknown key a1\nc.yaml:5: unknown key b2"},
	{name: "twice", file: minimal + "application: b\n",
		want: "c.yaml:4: application is set twice, first in line 1: remove one"},
	{name: "no section", file: minimal + "log: info\n",
		want: "c.yaml:4: want keys with values in log"},
	{name: "a section for a value", file: minimal + "log: {level: {a: b}}\n",
		want: "c.yaml:4: log.level: want one value (debug|info|warn|error)"},
	{name: "a value for a list", file: "kafka: {brokers: b:9092}\n",
		want: "c.yaml:1: kafka.brokers: want a list, as in [a, b]"},
	{name: "duration", file: minimal + "processing: {commit_interval: 100}\n",
		want: `c.yaml:4: processing.commit_interval: "100" is not a duration: write a number and ms, s, m or h, as in 100ms`},
	{name: "size", file: minimal + "memory: {budget: 1GB}\n",
		want: `c.yaml:4: memory.budget: "1GB" is not a size: write a whole number and B, KiB, MiB, GiB or TiB, as in 64MiB`},
	{name: "enum", file: minimal + "state: {engine: peble}\n",
		want: `c.yaml:4: state.engine: "peble" is not one of pebble, memory`},
	{name: "bool by environment", file: minimal, env: []string{"LEAT_KAFKA_TLS_ENABLED=si"},
		want: `LEAT_KAFKA_TLS_ENABLED: "si" is not true or false`},
	{name: "number by flag", file: minimal, args: []string{"--processing.workers=two"},
		want: `--processing.workers: "two" is not a whole number`},
	{name: "syntax", file: "application: a\n\ttopology: b\n",
		want: "c.yaml:2: found a tab character that violates indentation"},
	{name: "two documents", file: minimal + "---\napplication: b\n",
		want: "c.yaml: it has more than one document: remove all after the second ---"},
	{name: "topology", file: strings.Replace(minimal, "wordcount", "wordcuont", 1),
		want: `c.yaml:2: topology: there is no topology "wordcuont": it is one of fraud, wordcount; did you mean wordcount?`},
	{name: "topic of another topology", file: minimal + "topics: {payments: p}\n",
		want: "c.yaml:4: topics.payments: the topology wordcount has no such topic; it has input, output"},
	{name: "no topology", file: "application: a\n",
		want: "topology: say what to run: one of fraud, wordcount"},
	{name: "no application, no brokers", file: "topology: fraud\n",
		want: "application: give the service a name: its group id, transactional ids and internal topics derive from it\n" +
			"kafka.brokers: name at least one broker as host:port, or [embedded]"},
	{name: "application", file: strings.Replace(minimal, "application: a", "application: my service", 1),
		want: `c.yaml:1: application: "my service" is no name: use 1 to 100 of a-z, A-Z, 0-9, '.', '_' and '-'`},
	{name: "instance id", file: minimal, env: []string{"LEAT_MEMBERSHIP_INSTANCE_ID=a/b"},
		want: `LEAT_MEMBERSHIP_INSTANCE_ID: membership.instance_id: "a/b" is no name: use 1 to 100 of a-z, A-Z, 0-9, '.', '_' and '-'`},
	{name: "standby", file: minimal + "standby:\n  replicas: -1\n  acceptable_lag: 0\n  max_warmups: 0\n",
		want: "c.yaml:5: standby.replicas: -1 is less than 0\n" +
			"c.yaml:6: standby.acceptable_lag: 0 is not more than 0: 1 is the least\n" +
			"c.yaml:7: standby.max_warmups: 0 is not more than 0: 1 is the least"},
	{name: "embedded and others", file: minimal, env: []string{"LEAT_KAFKA_BROKERS=embedded,b:9092"},
		want: "LEAT_KAFKA_BROKERS: kafka.brokers: embedded stands alone: name brokers, or only embedded"},
	{name: "tls off", file: minimal, args: []string{"--kafka.tls.ca=x"},
		want: "kafka.tls.enabled: other keys of kafka.tls are set: set this one to true, or remove them"},
	{name: "half a certificate", file: minimal, args: []string{"--kafka.tls.enabled", "--kafka.tls.cert=x"},
		want: "--kafka.tls.cert: a certificate and its key go together: set kafka.tls.cert and kafka.tls.key, or neither"},
	{name: "no password", file: minimal, args: []string{"--kafka.sasl.mechanism=SCRAM-SHA-256", "--kafka.sasl.username=u"},
		want: "--kafka.sasl.mechanism: SCRAM-SHA-256 needs kafka.sasl.username and kafka.sasl.password or kafka.sasl.password_file"},
	{name: "no token", file: minimal, args: []string{"--kafka.sasl.mechanism=OAUTHBEARER"},
		want: "--kafka.sasl.mechanism: OAUTHBEARER needs kafka.sasl.token or kafka.sasl.token_file"},
	{name: "no mechanism", file: minimal, args: []string{"--kafka.sasl.username=u"},
		want: "kafka.sasl.mechanism: other keys of kafka.sasl are set: choose a mechanism, or remove them"},
	{name: "no dead-letter topic", file: minimal + "processing:\n  decode_failures: dead_letter\n",
		want: "processing.dead_letter_topic: name the topic that dead letters go to"},
	{name: "negative", file: minimal + "processing: {commit_interval: -1s}\n",
		want: "c.yaml:4: processing.commit_interval: -1s is not more than 0"},
	{name: "replication factor", file: minimal + "internal_topics: {replication_factor: 0}\n",
		want: "c.yaml:4: internal_topics.replication_factor: 0 is neither -1, the broker's default, nor a number of replicas"},
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range mistakes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, c.file, c.env, c.args...)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestHarmless(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty section": minimal + "log:\n  # level: debug\n",
		"anchor":        minimal + "state: {dir: &d ./data}\nmembership: {rack: *d}\n",
		"configs":       minimal + "internal_topics: {configs: {a-words-repartition: {retention.ms: 1000}}}\n",
	} {
		if _, err := load(t, text, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	_, err := Load(catalog, Sources{File: "no-such.yaml"})
	if err == nil || err.Error() != "configuration: open no-such.yaml: no such file or directory" {
		t.Errorf("got %v", err)
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{minimal, "a: &x [*x]", "? [a]\n: b\n", "- a\n", "topics: {input: {}}", "<<: {a: b}\n", "&a a: *a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		c := Default()
		ks := keys(c, catalog.parts())
		_ = c.readText("fuzz.yaml", []byte(text), ks) // any error will do, but no panic
	})
}
