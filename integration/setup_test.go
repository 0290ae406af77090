package integration

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/cluster"
	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/integration/internal/topics"
)

// processor is where the source of the binary is.
const processor = "../cmd/processor"

// A fixture is an application on the shared cluster. Its name and its topics' names are new.
type fixture struct {
	*testing.T
	ctx    context.Context // ends before go test's patience does
	topics *topics.Topics
	rnd    *rand.Rand
	seeds  []string
	dir    string // of state
	app    string
	in     string
	out    string
}

// setup returns an application with an input and an output topic.
func setup(t *testing.T, name string, partitions int32) *fixture {
	t.Helper()
	c := cluster.Shared(t)
	program.Build(t, processor) // it may take a while, and nothing should wait for it later
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	name += "-" + strings.ToLower(crand.Text()[:6])
	f := &fixture{T: t, ctx: ctx, topics: topics.Of(t, c), seeds: c.Seeds, dir: t.TempDir(), app: name, in: name + "-in", out: name + "-out"}
	t.Logf("%s, application %s", c.Mode, name)
	f.rnd = newRand(t)
	f.must(f.topics.Create(ctx, partitions, f.in, f.out))
	return f
}

// newRand returns randomness of a seed that is logged, or of the one in LEAT_SEED.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("LEAT_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("LEAT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// of returns the fixture as a subtest sees it.
func (f *fixture) of(t *testing.T) *fixture {
	sub := *f
	sub.T = t
	return &sub
}

// state is the state directory of a service.
func (f *fixture) state(name string) string { return filepath.Join(f.dir, name) }

// must ends the test if there is an error.
func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// processor returns a service that runs a topology of the binary's, with a state directory of its own. Its topics are
// the fixture's if the flags name none.
func (f *fixture) processor(name, topology string, flags ...string) *program.Service {
	f.Helper()
	args := []string{"run",
		"--application=" + f.app, "--topology=" + topology, "--kafka.brokers=" + strings.Join(f.seeds, ","),
		"--state.dir=" + f.state(name), "--http.listen=127.0.0.1:0", "--log.format=json",
	}
	if !slices.ContainsFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, "--topics.") }) {
		args = append(args, "--topics.input="+f.in, "--topics.output="+f.out)
	}
	return program.New(f, name, program.Build(f, processor), append(args, flags...)...)
}
