package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/integration/internal/proxy"
)

// broker kills a broker, and starts it again. It is over when the broker has caught up with the others: the next kill
// would else leave partitions without any replica that could lead them.
func (tr *trial) broker(rnd *rand.Rand) (what string, err error) {
	i, away := rnd.IntN(brokers), between(rnd, 500*time.Millisecond, 8*time.Second)
	tr.cluster.Kill(i)
	time.Sleep(away)
	begun := time.Now()
	tr.cluster.Restart(i)
	ready := time.Since(begun)
	err = tr.await(tr.inSync)
	return fmt.Sprintf("%d, away for %v, ready after %v, in sync after %v", i, away.Round(time.Millisecond), ready.Round(time.Millisecond),
		time.Since(begun).Round(time.Millisecond)), err
}

// inSync is an error if a replica of any partition lags behind its leader.
func (tr *trial) inSync(ctx context.Context) error {
	all, err := tr.topics.Admin.ListTopicsWithInternal(ctx)
	if err == nil {
		err = all.Error()
	}
	all.EachPartition(func(p kadm.PartitionDetail) {
		if err == nil && (p.Err != nil || len(p.ISR) < len(p.Replicas)) {
			err = fmt.Errorf("%s[%d] is led by %d, in sync are %v of %v: %w", p.Topic, p.Partition, p.Leader, p.ISR, p.Replicas, errors.Join(p.Err))
		}
	})
	return err
}

// cut ends the connections to one broker, or to all of them, and keeps new ones out for a while.
func (tr *trial) cut(rnd *rand.Rand) (what string, err error) {
	which, victims := tr.some(rnd)
	out := between(rnd, 0, 3*time.Second)
	n := 0
	for _, p := range victims {
		p.Refuse(true)
		n += p.Cut()
	}
	time.Sleep(out)
	for _, p := range victims {
		p.Refuse(false)
	}
	if n == 0 {
		err = fmt.Errorf("there were no connections")
	}
	return fmt.Sprintf("%d connections to %s, out for %v", n, which, out.Round(time.Millisecond)), err
}

// delay makes everything that goes to a broker, or to all of them, and comes from there, arrive late.
func (tr *trial) delay(rnd *rand.Rand) (what string, err error) {
	which, victims := tr.some(rnd)
	late := between(rnd, 20*time.Millisecond, 500*time.Millisecond)
	for _, p := range victims {
		p.Delay(late)
	}
	time.Sleep(between(rnd, 2*time.Second, 6*time.Second))
	for _, p := range victims {
		p.Delay(0)
	}
	return fmt.Sprintf("of %v, to %s", late.Round(time.Millisecond), which), nil
}

// some is one of the proxies, or all.
func (tr *trial) some(rnd *rand.Rand) (which string, some []*proxy.Proxy) {
	i := rnd.IntN(2 * brokers)
	if i >= brokers {
		return "all brokers", tr.proxies
	}
	return fmt.Sprint("broker ", i), tr.proxies[i : i+1]
}
