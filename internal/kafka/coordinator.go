package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A coordinator sends requests to the broker that answers for a group or a
// transactional id. kgo would do so, but goes on with the broker that it has found
// once until that refuses a connection, or says that it is the one no more. A dead
// broker behind a proxy does neither, nor does one that hangs: nobody would learn
// who has taken over before it is back.
type coordinator struct {
	broker atomic.Int32 // its id and 1; 0: not known
}

// The kinds of keys that have coordinators.
const (
	ofGroup int8 = iota
	ofTransactions
)

// ask sends a request, once.
func (c *coordinator) ask(ctx context.Context, cl *kgo.Client, kind int8, key string, req kmsg.Request) (kmsg.Response, error) {
	broker := c.broker.Load() - 1
	if broker < 0 {
		var err error
		if broker, err = findCoordinator(ctx, cl, kind, key); err != nil {
			return nil, err
		}
		c.broker.Store(broker + 1)
	}
	return cl.Broker(int(broker)).Request(ctx, req)
}

// heed makes the coordinator be looked for again after any error, and returns err.
func (c *coordinator) heed(err error) error {
	if err != nil {
		c.broker.Store(0)
	}
	return err
}

func findCoordinator(ctx context.Context, cl *kgo.Client, kind int8, key string) (int32, error) {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKeys = kind, []string{key}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, err
	}
	for _, found := range resp.Coordinators {
		if found.Key == key {
			return found.NodeID, kerr.ErrorForCode(found.ErrorCode)
		}
	}
	return 0, fmt.Errorf("coordinator of %s: %w", key, errNoCoordinator)
}

var errNoCoordinator = errors.New("the broker left it out of its answer")
