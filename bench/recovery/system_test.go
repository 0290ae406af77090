package recovery

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// A job is an application that counts records by key, or copies them. It runs in any number of processes.
type job struct {
	brokers     []string
	application string
	input       string
	output      string
	memory      bool // where state is kept; else on disk
	stateless   bool // it copies, and does not count
	standbys    int
	dir         string // for the processes' state
}

// kind says in which way jobs differ when processes come and go.
func (j *job) kind() string {
	if j.stateless {
		return "no state"
	}
	return fmt.Sprintf("%d standbys", j.standbys)
}

// changelog is the topic that holds its state.
func (j *job) changelog() string { return j.application + "-counts-changelog" }

// A system does the job.
type system interface {
	String() string
	// command is how a process of it is started.
	command(j *job, process string) []string
	// restored reads from what a process has logged when its restores began and ended.
	restored(log []line) (begin, end time.Time)
}

type leat struct{}

func (leat) String() string { return "leat" }

func (leat) command(j *job, process string) []string {
	if j.stateless {
		return []string{*peers, "leat", "-job=copy", "-application=" + j.application, "-brokers=" + strings.Join(j.brokers, ","),
			"-in=" + j.input, "-out=" + j.output, "-dir=" + filepath.Join(j.dir, process)}
	}
	engine := "pebble"
	if j.memory {
		engine = "memory"
	}
	return []string{*processor, "run", "--topology=count", "--application=" + j.application, "--kafka.brokers=" + strings.Join(j.brokers, ","),
		"--topics.input=" + j.input, "--topics.output=" + j.output, "--state.engine=" + engine, "--state.dir=" + filepath.Join(j.dir, process),
		fmt.Sprintf("--standby.replicas=%d", j.standbys), "--http.listen=127.0.0.1:0", "--log.format=json"}
}

func (leat) restored(log []line) (begin, end time.Time) {
	for _, l := range log {
		if l.Message != "restored store" {
			continue
		}
		took, _ := time.ParseDuration(fmt.Sprint(l.Took))
		if ns, ok := l.Took.(float64); ok {
			took = time.Duration(ns)
		}
		begin, end = widen(begin, end, l.Time.Add(-took), l.Time)
	}
	return begin, end
}

type kafkaStreams struct{}

func (kafkaStreams) String() string { return "kafka-streams" }

func (kafkaStreams) command(j *job, process string) []string {
	work := "count"
	if j.stateless {
		work = "copy"
	}
	args := []string{"java", "-Xmx2g", "-cp", *classpath, "Peer", work, j.input, "no-table", j.output,
		"bootstrap.servers=" + strings.Join(j.brokers, ","), "application.id=" + j.application, "state.dir=" + filepath.Join(j.dir, process),
		"processing.guarantee=exactly_once_v2", "auto.offset.reset=earliest", "replication.factor=1",
		"num.stream.threads=2", fmt.Sprintf("num.standby.replicas=%d", j.standbys),
		"probing.rebalance.interval.ms=60000", // the least; by default a state that has been copied waits for up to 10 minutes
	}
	if j.memory {
		args = append(args, "dsl.store.suppliers.class=org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers")
	}
	return args
}

func (kafkaStreams) restored(log []line) (begin, end time.Time) {
	for _, l := range log {
		if at := time.UnixMilli(l.Millis); l.Message == "restore begins" || l.Message == "restored store" {
			begin, end = widen(begin, end, at, at)
		}
	}
	return begin, end
}

// widen is the span of two.
func widen(begin, end, from, to time.Time) (time.Time, time.Time) {
	if begin.IsZero() || from.Before(begin) {
		begin = from
	}
	if to.After(end) {
		end = to
	}
	return begin, end
}
