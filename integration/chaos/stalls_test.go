package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stalls know how long no results came.
type stalls struct {
	tr      *trial
	stop    context.CancelFunc
	running sync.WaitGroup
	last    map[place]time.Time // when results came there
	told    time.Time           // when the last long stall was told of
	longest stall
}

// A long stall is told of while it lasts, with what there is to see of the cluster.
const (
	longStall = 20 * time.Second
	tellEvery = 10 * time.Second
)

// A stall is a time in which nothing came.
type stall struct {
	took time.Duration
	at   place
	end  time.Time
}

func (s stall) String() string {
	return fmt.Sprintf("%v at %s[%d] until %s", s.took.Round(time.Millisecond), s.at.topic, s.at.partition, stamp(s.end))
}

// A place is where results come all the time.
type place struct {
	topic     string
	partition int32
}

// watch reads the results as they are committed, until end is called.
func watch(tr *trial) *stalls {
	tr.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(tr.cluster.Seeds...), kgo.ConsumeTopics(tr.names(outputs)...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	tr.must(err)
	s := &stalls{tr: tr, last: make(map[place]time.Time)}
	ctx, stop := context.WithCancel(tr.ctx)
	s.stop = stop
	for _, topic := range tr.names(outputs) {
		for p := range int32(partitions) {
			s.last[place{topic, p}] = time.Now()
		}
	}
	s.running.Go(func() {
		defer cl.Close()
		for ctx.Err() == nil {
			polling, enough := context.WithTimeout(ctx, time.Second)
			fetches := cl.PollFetches(polling)
			enough()
			now := time.Now()
			fetches.EachPartition(func(f kgo.FetchTopicPartition) {
				if len(f.Records) > 0 {
					s.came(place{f.Topic, f.Partition}, now)
				}
			})
			s.tell(ctx, now)
		}
	})
	return s
}

func (s *stalls) came(at place, now time.Time) {
	if took := now.Sub(s.last[at]); took > s.longest.took {
		s.longest = stall{took, at, now}
	}
	s.last[at] = now
}

// tell tells of what has stalled for long.
func (s *stalls) tell(ctx context.Context, now time.Time) {
	if now.Sub(s.told) < tellEvery {
		return
	}
	var which []string
	for at, last := range s.last {
		if took := now.Sub(last); took > longStall {
			which = append(which, fmt.Sprintf("%s[%d] for %v", strings.TrimPrefix(at.topic, s.tr.app), at.partition, took.Round(time.Second)))
		}
	}
	if len(which) == 0 {
		return
	}
	s.told = now
	slices.Sort(which)
	written, acked := s.tr.feed.written.Load()-s.tr.feed.failed.Load(), s.tr.feed.acked.Load()
	s.tr.Logf("%s nothing comes in %s: %d records were fed, of which the brokers have %d; %s", stamp(now), strings.Join(which, ", "), written, acked, s.tr.picture(ctx))
}

// end returns the longest stall of all, once everything has been processed: what comes last ends one, and nothing is
// waited for after that.
func (s *stalls) end() stall {
	time.Sleep(2 * time.Second) // the last results are read
	s.stop()
	s.running.Wait()
	return s.longest
}
