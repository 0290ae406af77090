package cluster

import (
	"os"
	"strings"
	"testing"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	nodes := make([]layout, 3)
	for i := range nodes {
		nodes[i].advertised = map[string]string{"CLIENT": "host:" + hostname(i), "CONTROLLER": hostname(i) + ":9094"}
	}
	o := Options{Brokers: 3, Properties: map[string]string{"min.insync.replicas": "1"}}
	env := environment(o.properties(1, nodes))
	for name, want := range map[string]string{
		"KAFKA_NODE_ID":                          "2",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":         "1@kafka-1:9094,2@kafka-2:9094,3@kafka-3:9094",
		"KAFKA_DEFAULT_REPLICATION_FACTOR":       "3",
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":    "2",
		"KAFKA_MIN_INSYNC_REPLICAS":              "1",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
	} {
		if env[name] != want {
			t.Errorf("%s = %q, want %q", name, env[name], want)
		}
	}
	if got := environment(map[string]string{"a.b_c-d": ""}); len(got) != 2 || got["KAFKA_A_B__C___D"] != "" {
		t.Error(got)
	}
}

func TestFreePorts(t *testing.T) {
	t.Parallel()
	ports, err := freePorts(9)
	if err != nil || len(ports) != 9 {
		t.Fatal(ports, err)
	}
	for i, p := range ports {
		if p < 20000 || p >= 30000 || i > 0 && p <= ports[i-1] {
			t.Errorf("port %d of %v", p, ports)
		}
	}
}

func TestOrphan(t *testing.T) {
	t.Parallel()
	for owner, want := range map[string]bool{
		owned()[ownerLabel]:       false,
		thisHost() + "1999999999": true,
		"elsewhere/1999999999":    false,
		thisHost() + "x":          false,
		"":                        false,
	} {
		if got := orphan(map[string]string{ownerLabel: owner}); got != want {
			t.Errorf("owner %q: orphan %v, want %v", owner, got, want)
		}
	}
}

// TestVersion: the scripts build and run what the tests say that they ran on.
func TestVersion(t *testing.T) {
	t.Parallel()
	path, err := script("env.sh")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "KAFKA_VERSION="+version+"\n") {
		t.Errorf("%s does not name %s", path, version)
	}
}
