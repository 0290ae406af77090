package cluster

import (
	"sync"
	"testing"
)

// shared is the cluster of a test binary, started by the first test that asks for it.
var shared struct {
	once sync.Once
	c    *Cluster
	err  error
}

// Shared returns a cluster of one broker for all tests of a test binary that can do with one: they use names of their
// own for topics, groups and transactions, and do not kill or pause it. The binary's TestMain calls Main.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	mode := possible(t)
	shared.once.Do(func() { shared.c, shared.err = start(mode, Options{}) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.c.of(t)
}

// Main runs a binary's tests, then stops the shared cluster:
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
func Main(m *testing.M) int {
	defer func() {
		if shared.c != nil {
			shared.c.close()
		}
	}()
	return m.Run()
}
