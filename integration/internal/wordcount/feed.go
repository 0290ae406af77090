package wordcount

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Feed writes numbered lines to a topic. Each has a word of its own and some that many lines have.
type Feed struct {
	Client *kgo.Client
	Topic  string
	Rand   *rand.Rand
	Rate   int    // lines per second
	Pad    string // what every common word ends with, to make it longer

	Written Counts // once Run has returned: what the lines hold
	Lines   int
}

const (
	tick       = 5 * time.Millisecond
	vocabulary = 500
)

// Run writes until ctx ends. It is an error if a line could not be written.
func (f *Feed) Run(ctx context.Context) error {
	f.Written = make(Counts)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	results := &firstError{}
	for began := time.Now(); ctx.Err() == nil; {
		for due := int(time.Since(began).Seconds() * float64(f.Rate)); f.Lines < due; {
			line := f.next()
			f.Written.Add(line)
			f.Client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: f.Topic, Key: fmt.Append(nil, f.Lines), Value: []byte(line)}, results.promise)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	if err := f.Client.Flush(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return results.err
}

func (f *Feed) next() string {
	f.Lines++
	words := []string{fmt.Sprint("line", f.Lines)}
	for range 3 {
		words = append(words, fmt.Sprint("w", f.Rand.IntN(vocabulary), f.Pad))
	}
	return strings.Join(words, " ")
}

// A firstError remembers the first of the client's promises that failed. The client calls them one at a time.
type firstError struct{ err error }

func (e *firstError) promise(_ *kgo.Record, err error) {
	if e.err == nil && err != nil {
		e.err = err
	}
}
