// Package conformance compares leat with Kafka Streams: it runs what Kafka
// Streams itself put out for a topology, step by step, against the same topology
// written with leat's verbs, on the test driver.
//
// testdata/oracle is the program that makes the files; see testdata/README.md for
// what is in them. A scenario is one topology, known by name; there is one file of
// them per family of verbs.
package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// A Record is one record of a topic; nil is null.
type Record struct {
	Topic string  `json:"topic"`
	Key   *string `json:"key"`
	Value *string `json:"value"`
	Time  int64   `json:"ts"`

	Headers [][2]*string `json:"headers"`
}

func (r Record) String() string {
	s := fmt.Sprintf("%s: %s = %s @ %d", r.Topic, text(r.Key), text(r.Value), r.Time)
	for _, h := range r.Headers {
		s += fmt.Sprintf(" %s=%s", *h[0], text(h[1]))
	}
	return s
}

func text(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}

// A Step feeds one record, or moves the wall clock, and says what comes of it.
type Step struct {
	In      *Record  `json:"in"`
	Advance int64    `json:"advance_wall_clock_ms"`
	Out     []Record `json:"out"`
}

func (s Step) String() string {
	if s.In == nil {
		return fmt.Sprintf("advance the wall clock by %v", time.Duration(s.Advance)*time.Millisecond)
	}
	return s.In.String()
}

// A File is the run of one scenario.
type File struct {
	Scenario string   `json:"scenario"`
	Topology string   `json:"topology"` // in words
	Seed     int64    `json:"seed"`
	Inputs   []string `json:"inputs"`
	Outputs  []string `json:"outputs"`
	MaxIdle  *int64   `json:"max_task_idle_ms"`
	Steps    []Step   `json:"-"`
}

// Read reads a file.
func Read(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f := &File{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for n := 0; lines.Scan(); n++ {
		if n == 0 {
			err = json.Unmarshal(lines.Bytes(), f)
		} else {
			var s Step
			err = json.Unmarshal(lines.Bytes(), &s)
			f.Steps = append(f.Steps, s)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n+1, err)
		}
	}
	if err = lines.Err(); err == nil && len(f.Steps) == 0 {
		err = fmt.Errorf("%s: no steps", path)
	}
	return f, err
}

// A family is scenarios by name: each adds its topology to a builder.
type family map[string]func(*topology.Builder)

// families are all scenarios there are.
var families = []family{
	stateless, aggregates, tables, tableJoins, windows, suppressions, streamJoins, streamTables, processors, chains,
	windowChains, empties, headed, idling, origins, relaxed, initials, wholes,
}

// scenario finds a scenario by name; nil if there is none.
func scenario(name string) func(*topology.Builder) {
	for _, f := range families {
		if build := f[name]; build != nil {
			return build
		}
	}
	return nil
}

// What the scenarios are made of: every topic and store holds strings, but those
// of counts.

func topic(name string) topology.Topic[string, string] {
	return topology.NewTopic(name, serde.String, serde.String)
}

func via(name string) topology.Repartition[string, string] {
	return topology.NewRepartition(name, serde.String, serde.String)
}

func texts(name string) store.KV[string, string] {
	return store.KeyValue(name, serde.String, serde.String)
}

func numbers(name string) store.KV[string, int64] {
	return store.KeyValue(name, serde.String, serde.Int64)
}

// table reads a topic as a table with a store.
func table(b *topology.Builder, name string) topology.Table[string, string] {
	return b.Table(topic(name), texts(name+"-store"))
}

// concat, leftConcat and outerConcat are the joiners of all scenarios.
func concat(_, a, b string) string { return a + "+" + b }

func leftConcat(_, a string, b topology.Opt[string]) string { return a + "+" + b.Or("null") }

func outerConcat(_ string, a, b topology.Opt[string]) string {
	return a.Or("null") + "+" + b.Or("null")
}
