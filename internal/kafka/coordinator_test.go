package kafka_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/kafka/kafkatest"
)

// A deserted broker is one that is dead behind something that accepts connections for it, and closes them.
type deserted struct {
	net.Conn
	now *atomic.Bool
}

func (d deserted) Read(b []byte) (int, error) {
	if d.now.Load() {
		return 0, io.EOF
	}
	return d.Conn.Read(b)
}

// behind returns an option that puts a broker, or all if it is -1, behind something.
func behind(cl *kgo.Client, broker int32, gone *atomic.Bool) kgo.Opt {
	dial := cl.OptValue(kgo.Dialer).(func(context.Context, string, string) (net.Conn, error))
	return kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil && (broker < 0 || address == fmt.Sprint("localhost:", 9092+broker)) {
			conn = deserted{conn, gone}
		}
		return conn, err
	})
}

// A coordinator that is gone is not asked for ever, although it seems to be there: another broker has taken over.
func TestCoordinatorIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkatest.Cluster) {
		_, who := join(t, c)
		g, old := group(c), c.CoordinatorFor("app")
		var gone atomic.Bool
		cl := c.Client(behind(c.Client(), old, &gone))
		if err := g.Commit(t.Context(), cl, who, some); err != nil {
			t.Fatal(err)
		}
		for c.CoordinatorFor("app") == old {
			c.RehashCoordinators()
		}
		gone.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if got, err := g.FetchStable(ctx, cl, []kafka.TopicPartition{in(0)}); err != nil || got[in(0)] != some[in(0)] {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
