package cluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
)

// A layout says where a node listens, by the names of its listeners, and where others find it.
type layout struct{ bind, advertised map[string]string }

// Those who come to PROXIED are sent on to Options.Proxies.
var listeners = []string{"CLIENT", "PROXIED", "BROKER", "CONTROLLER"}

func nodeID(i int) int32 { return int32(i + 1) }

// properties returns the settings of node i of a cluster that is laid out so.
func (o Options) properties(i int, nodes []layout) map[string]string {
	var binds, advertised, protocols, voters []string
	for _, l := range listeners {
		binds = append(binds, l+"://"+nodes[i].bind[l])
		protocols = append(protocols, l+":PLAINTEXT")
		if l != "CONTROLLER" {
			advertised = append(advertised, l+"://"+nodes[i].advertised[l])
		}
	}
	for j, n := range nodes {
		voters = append(voters, fmt.Sprintf("%d@%s", nodeID(j), n.advertised["CONTROLLER"]))
	}
	replicas := min(o.Brokers, 3)
	inSync := strconv.Itoa(max(replicas-1, 1))
	all := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        fmt.Sprint(nodeID(i)),
		"controller.quorum.voters":       strings.Join(voters, ","),
		"listeners":                      strings.Join(binds, ","),
		"advertised.listeners":           strings.Join(advertised, ","),
		"listener.security.protocol.map": strings.Join(protocols, ","),
		"inter.broker.listener.name":     "BROKER",
		"controller.listener.names":      "CONTROLLER",

		"default.replication.factor":               strconv.Itoa(replicas),
		"min.insync.replicas":                      inSync,
		"offsets.topic.replication.factor":         strconv.Itoa(replicas),
		"transaction.state.log.replication.factor": strconv.Itoa(replicas),
		"transaction.state.log.min.isr":            inSync,

		// The first transaction waits until these partitions are there: by default 50 of each kind.
		"offsets.topic.num.partitions":         "4",
		"transaction.state.log.num.partitions": "4",
		"group.initial.rebalance.delay.ms":     "0",
		"log.cleaner.dedupe.buffer.size":       "16777216",
		// What was deleted from a topic leaves the disk at the next of these checks: by default every 5 minutes.
		"log.retention.check.interval.ms": "1000",
		// A restarted broker is let in when the session of its former life has ended.
		"broker.session.timeout.ms":    "6000",
		"broker.heartbeat.interval.ms": "1000",
		// A killed container takes its address with it: nothing refuses the others' connections to it.
		"socket.connection.setup.timeout.ms":     "1000",
		"socket.connection.setup.timeout.max.ms": "2000",
	}
	maps.Copy(all, o.Properties)
	return all
}

// proxied is where node i sends those who come to its address for proxies.
func (o Options) proxied(i int, address string) string {
	if i < len(o.Proxies) {
		return o.Proxies[i]
	}
	return address
}

// freePorts returns n ports of this machine for servers. They lie below the ephemeral range: while a killed broker's
// port is free no client's connection may take it, nor may a client that dials it over and over connect to itself.
func freePorts(n int) ([]int, error) {
	const low, high = 20000, 30000
	var free []int
	for port := low + rand.IntN((high-low)/2); port < high && len(free) < n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		free = append(free, port)
	}
	if len(free) < n {
		return nil, fmt.Errorf("no %d free ports from %d to %d", n, low, high)
	}
	return free, nil
}
