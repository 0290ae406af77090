package cli

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestTasksWithoutLeader: a partition that has no leader hides nothing but its own end.
func TestTasksWithoutLeader(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "text-lines", "word-counts"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "text-lines", Partitions: []int32{1}, Err: kerr.LeaderNotAvailable, Count: -1})
	r := call(t, "tasks", "-c", configs+"wordcount.yaml", "--kafka.brokers="+cluster.ListenAddrs()[0])
	if r.code != exitOK || !strings.Contains(r.err, "ends of partitions: some are not known") || !strings.HasSuffix(r.out, "\nlag 0, without what is not known\n") {
		t.Errorf("got %+v", r)
	}
	for task, want := range map[string]string{"0_0": "- 0 0", "0_1": "- ? ?", "1_1": "- 0 0"} {
		found := false
		for line := range strings.Lines(r.out) {
			cells := strings.Fields(line)
			found = found || len(cells) == 8 && cells[0] == task && strings.Join(cells[5:], " ") == want
		}
		if !found {
			t.Errorf("no %s with %s in\n%s", task, want, r.out)
		}
	}
}
