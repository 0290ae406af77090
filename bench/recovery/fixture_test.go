package recovery

import (
	"context"
	crand "crypto/rand"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/cluster"
)

// A fixture is a job whose topics exist.
type fixture struct {
	*testing.T
	job
	ctx    context.Context
	client *kgo.Client
	admin  *kadm.Client
	failed atomic.Pointer[error] // of a record that was not written
}

func newFixture(t *testing.T, c *cluster.Cluster, name string) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	t.Cleanup(cancel)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds...), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(1<<17))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	name += "-" + strings.ToLower(crand.Text()[:6])
	f := &fixture{
		T: t, ctx: ctx, client: cl, admin: kadm.NewClient(cl),
		job: job{brokers: c.Seeds, application: name, input: name + "-in", output: name + "-out", dir: t.TempDir()},
	}
	_, err = f.admin.CreateTopics(ctx, partitions, 1, nil, f.input, f.output)
	f.must(err)
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if failed := f.failed.Load(); err == nil && failed != nil {
		err = *failed
	}
	if err != nil {
		f.Fatal(err)
	}
}

// produced is the promise of every record.
func (f *fixture) produced(_ *kgo.Record, err error) {
	if err != nil {
		f.failed.CompareAndSwap(nil, &err)
	}
}

// await asks until the answer is nil.
func (f *fixture) await(what string, ask func() error) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, 5*time.Minute)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			f.Fatalf("wait for %s: %v", what, err)
		}
	}
}
