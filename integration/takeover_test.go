package integration

import (
	"testing"

	"github.com/leatstream/leat/integration/internal/wordcount"
)

const (
	takeoverPartitions = 4
	takeoverTasks      = 2 * takeoverPartitions // from lines to words, from words to counts
)

// TestTakeover: a process does another's work when that is frozen for so long that the group gives it up, when it is
// dead, and when it stops. The frozen one thaws with a transaction open that must not take effect any more.
func TestTakeover(t *testing.T) {
	t.Parallel()
	f := setup(t, "takeover", takeoverPartitions)
	enough := f.feed(1000)
	flags := []string{"--membership.session_timeout=6s", "--state.flush_interval=1s"}
	first, second := f.processor("a", "wordcount", flags...), f.processor("b", "wordcount", flags...)
	a, b := f.start(first), f.start(second)
	f.awaitTasks(takeoverTasks/2, a, b)

	f.must(a.Pause())
	f.awaitTasks(takeoverTasks, b)
	f.must(a.Unpause())
	_, err := a.Await(f.ctx, "tasks lost: the group has gone on without this process", 1)
	f.must(err)
	f.awaitTasks(takeoverTasks/2, a, b)

	a.Kill()
	f.awaitTasks(takeoverTasks, b)
	a = f.start(first)
	f.awaitTasks(takeoverTasks/2, a, b)

	f.must(b.Stop(f.ctx))
	f.awaitTasks(takeoverTasks, a)
	f.checkCounts(enough(), wordcount.ExactlyOnce, a)
}
