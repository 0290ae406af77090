// Package integration shows on a real Kafka what leat promises: processes are killed, moved and misconfigured, and what
// they leave behind is compared with a model.
package integration

import (
	"os"
	"testing"

	"github.com/leatstream/leat/integration/cluster"
	"github.com/leatstream/leat/integration/internal/program"
)

func TestMain(m *testing.M) {
	code := cluster.Main(m)
	program.RemoveBuilt()
	os.Exit(code)
}
