package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stalls know how long no results came.
type stalls struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	last    map[place]time.Time // when results came there
	longest stall
}

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
	s := &stalls{last: make(map[place]time.Time)}
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
			fetches := cl.PollFetches(ctx)
			now := time.Now()
			fetches.EachPartition(func(f kgo.FetchTopicPartition) {
				if len(f.Records) > 0 {
					s.came(place{f.Topic, f.Partition}, now)
				}
			})
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

// end returns the longest stall of all.
func (s *stalls) end() stall {
	s.stop()
	s.running.Wait()
	for at := range s.last {
		s.came(at, time.Now())
	}
	return s.longest
}
