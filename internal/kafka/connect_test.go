package kafka_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/kafka/kafkatest"
)

// What has been connected can fetch when no connection can be made any more.
func TestConnect(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		var cut atomic.Bool
		dial := c.Client().OptValue(kgo.Dialer).(kafka.DialFunc)
		cl := c.Client(kgo.RequestRetries(0), kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
			if cut.Load() {
				return nil, errors.New("cut off")
			}
			return dial(ctx, network, host)
		}))
		kafka.Connect(t.Context(), cl, []string{"in", "missing"})
		cut.Store(true)
		for p := range int32(4) {
			req := kmsg.NewPtrFetchRequest()
			req.SessionEpoch = -1
			if _, err := cl.Broker(int(c.LeaderFor("in", p))).Request(t.Context(), req); err != nil {
				t.Error(err)
			}
		}
	}, kfake.NumBrokers(3))
}
