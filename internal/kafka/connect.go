package kafka

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// connectTimeout is how long Connect takes at most.
	connectTimeout = 5 * time.Second
	// manyBrokers are more than a client is connected to in advance.
	manyBrokers = 16
)

// Connect connects a client to the leaders of topics, as it does by itself for its first
// fetch and after a pause of a while (kgo.ConnIdleTimeout); that fetch waits for less then.
// What does not work is for that fetch to find out.
func Connect(ctx context.Context, cl *kgo.Client, topics []string) {
	if len(topics) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	found, err := describe(ctx, cl, topics)
	if err != nil {
		return
	}
	leaders := map[int32]bool{}
	for _, t := range found {
		for _, l := range t.Leaders {
			if l.Node >= 0 {
				leaders[l.Node] = true
			}
		}
	}
	var wg sync.WaitGroup
	for i, node := range slices.Sorted(maps.Keys(leaders)) {
		if i == manyBrokers {
			break
		}
		wg.Go(func() {
			req := kmsg.NewPtrFetchRequest() // of nothing: it is answered at once
			req.SessionEpoch = -1
			_, _ = cl.Broker(int(node)).Request(ctx, req)
		})
	}
	wg.Wait()
}
