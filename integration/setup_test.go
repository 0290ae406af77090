package integration

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/cluster"
	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/integration/internal/topics"
)

// A fixture is an application on the shared cluster. Its name and its topics' names are new.
type fixture struct {
	*testing.T
	ctx    context.Context // ends before go test's patience does
	topics *topics.Topics
	rnd    *rand.Rand
	seeds  []string
	app    string
	in     string
	out    string
}

// setup returns an application with an input and an output topic. Randomness is of a seed that is logged, or of the
// one in LEAT_SEED.
func setup(t *testing.T, name string, partitions int32) *fixture {
	t.Helper()
	c := cluster.Shared(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	name += "-" + strings.ToLower(crand.Text()[:6])
	f := &fixture{T: t, ctx: ctx, topics: topics.Of(t, c), seeds: c.Seeds, app: name, in: name + "-in", out: name + "-out"}
	seed, err := strconv.ParseUint(os.Getenv("LEAT_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	f.rnd = rand.New(rand.NewPCG(seed, 0))
	t.Logf("%s, application %s, LEAT_SEED=%d", c.Mode, name, seed)
	f.must(f.topics.Create(ctx, partitions, f.in, f.out))
	return f
}

// must ends the test if there is an error.
func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// processor returns a service that runs a topology of the binary's, with a state directory of its own.
func (f *fixture) processor(name, topology string, flags ...string) *program.Service {
	f.Helper()
	args := append([]string{"run",
		"--application=" + f.app, "--topology=" + topology, "--topics.input=" + f.in, "--topics.output=" + f.out,
		"--kafka.brokers=" + strings.Join(f.seeds, ","), "--state.dir=" + filepath.Join(f.TempDir(), name),
		"--http.listen=127.0.0.1:0", "--log.format=json",
	}, flags...)
	return program.New(f, name, program.Build(f, "../cmd/processor"), args...)
}
