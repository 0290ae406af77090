package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/bench/peers/internal/report"
	"github.com/leatstream/leat/bench/peers/internal/trial"
)

// The topics that NEXMark's queries read.
const (
	people   = "nexmark-people"
	auctions = "nexmark-auctions"
	bids     = "nexmark-bids"
)

// queries are NEXMark's, as examples/nexmark answers them, and Nexmark.java.
var queries = []struct {
	name, title string
	reads       []string
	certain     bool // the answer depends neither on the clock nor on how partitions take turns
}{
	{"q0", "every bid as it is", []string{bids}, true},
	{"q1", "every bid in another currency", []string{bids}, true},
	{"q2", "the bids of some auctions", []string{bids}, true},
	{"q3", "who sells what where", []string{people, auctions}, true},
	{"q4", "average prices by category", []string{auctions, bids}, false},
	{"q5", "the auctions with most bids", []string{bids}, false},
	{"q7", "the highest bid", []string{bids}, false},
	{"q8", "new people who sell", []string{people, auctions}, false},
	{"q11", "bids by session", []string{bids}, false},
	{"q12", "bids by the clock", []string{bids}, false},
	{"q18", "everybody's last bid", []string{bids}, true},
}

// nexmark are jobs of so many events.
func nexmark(events int) (all []job) {
	for _, q := range queries {
		all = append(all, job{
			name: q.name, certain: q.certain, group: "nexmark", long: true, title: "NEXMark " + q.name + ": " + q.title,
			measure: func(ctx context.Context, t *trial.Trial) (trial.Run, error) {
				t.Sources = q.reads
				for _, topic := range q.reads {
					t.Records += recordsOf(topic, events)
				}
				return t.Whole(ctx)
			},
			side: []variant{
				{label: leat, program: example, work: q.name, events: events},
				{label: streams, program: streams, work: q.name, events: events, settings: []string{everyUpdate}},
			},
			aims: []report.Aim{{Metric: trial.Rate, Of: leat, Than: streams, Least: 3}, {Metric: trial.CPU, Of: leat, Than: streams, Most: 1. / 3}},
		})
	}
	return all
}

// recordsOf is how many of the events are of a topic. Of fifty, the first is a person, and three are auctions.
func recordsOf(topic string, events int) int {
	rounds, rest := events/50, events%50
	persons, opened := rounds+min(rest, 1), 3*rounds+min(max(rest-1, 0), 3)
	switch topic {
	case people:
		return persons
	case auctions:
		return opened
	}
	return events - persons - opened
}

// nexmark builds the example, and lets it fill the topics of all queries. Their answers are kept from run to run.
func (c *contest) nexmark(ctx context.Context, events int) error {
	if c.events == events {
		return nil
	}
	began := time.Now()
	c.example = filepath.Join(c.dir, "nexmark")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", c.example, "../../examples/nexmark").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	topics := []string{people, auctions, bids}
	for _, q := range queries {
		topics = append(topics, "nexmark-"+q.name)
	}
	if err := c.broker.Create(ctx, nexmarkPartitions, topics...); err != nil {
		return err
	}
	fill := exec.CommandContext(ctx, c.example, "-generate", fmt.Sprint(events), "-brokers", c.broker.Address)
	fill.Stderr = os.Stderr
	if err := fill.Run(); err != nil {
		return fmt.Errorf("generate events: %w", err)
	}
	c.events = events
	fmt.Printf("loaded %d events of NEXMark in %v\n", events, time.Since(began).Round(time.Millisecond))
	return nil
}

const nexmarkPartitions = 4

// agree checks that what has been written to a query's topic since ends is what others wrote there before: the last value
// of every key.
func (c *contest) agree(ctx context.Context, query string, ends kadm.ListedOffsets) error {
	digest, keys, err := c.broker.Table(ctx, ends)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if c.answers == nil {
		c.answers = map[string]uint64{}
	}
	if first, ok := c.answers[query]; ok && first != digest || keys == 0 {
		return fmt.Errorf("the answer, of %d keys, is not what it was before", keys)
	}
	c.answers[query] = digest
	return nil
}
