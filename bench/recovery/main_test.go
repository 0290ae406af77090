package recovery

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/cluster"
)

var (
	processor = flag.String("processor", "", "path of leat's binary")
	peers     = flag.String("peers", "", "path of the peers' binary, which copies: a service without state")
	classpath = flag.String("classpath", "", "of the peer; empty: leat alone")
	systems   = flag.String("systems", "leat,kafka-streams", "which to measure, in that order")
	keys      = flag.Int("keys", 1_000_000, "of state")
	rounds    = flag.Int("rounds", 3, "how often each restore is done, and what leat's processes do")
	warmup    = flag.Duration("warmup", 4*time.Minute, "how long processes come and go before that is measured: a broker that has just been started compiles, and takes the CPU for it")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *processor == "" {
		os.Exit(0)
	}
	os.Exit(cluster.Main(m))
}

// chosen are the systems to measure.
func chosen() (all []system) {
	for _, name := range strings.Split(*systems, ",") {
		switch {
		case name == "leat":
			all = append(all, leat{})
		case *classpath != "":
			all = append(all, kafkaStreams{})
		}
	}
	return all
}
