package operate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/operate"
)

// leaderless takes the leaders of partitions of a topic away; of every topic, if it is empty.
func (f *fixture) leaderless(topic string, partitions ...int32) {
	f.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: topic, Partitions: partitions, Err: kerr.LeaderNotAvailable, Count: -1})
}

// While partitions have no leader the others are looked at all the same, and a reset, which
// would leave them out, is refused.
func TestPartitionsWithoutLeader(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write(3)
	defer f.runAs("one", 1)()
	defer f.runAs("two", 1)()
	f.read(3)
	f.settle()
	f.leaderless("words", 1)
	f.leaderless("app-counts-changelog", 0, 1)
	v := f.tasks()
	if len(v.Inputs) != 4 || v.Members != 2 || v.Gaps == nil || !strings.Contains(v.Gaps.Error(), "LEADER_NOT_AVAILABLE") {
		t.Errorf("%+v", v)
	}
	for _, in := range v.Inputs {
		known := in.Topic != "words" || in.Partition != 1
		if (in.End >= 0) != known || (in.Start >= 0) != known || (in.Lag() >= 0) != known || in.Owner == "" {
			t.Errorf("%+v, lag %d", in, in.Lag())
		}
	}
	for _, s := range v.Standbys {
		if s.End != -1 || s.Lag() != -1 {
			t.Errorf("%+v lacks %d", s, s.Lag())
		}
	}
	if _, err := f.open().Reset(t.Context(), operate.Target{}, false); err == nil {
		t.Error("a reset is planned")
	}
	f.leaderless("", 0, 1)
	if v, err := f.open().Tasks(t.Context()); err == nil {
		t.Errorf("nothing is known: %+v", v)
	}
}

// settle waits until every task has an owner, and those with state a copy.
func (f *fixture) settle() {
	f.Helper()
	for start := time.Now(); time.Since(start) < time.Minute; {
		v := f.tasks()
		homeless := slices.ContainsFunc(v.Inputs, func(in operate.Input) bool { return in.Owner == "" })
		warming := slices.ContainsFunc(v.Standbys, func(s operate.Standby) bool { return s.Warming })
		if len(v.Standbys) == 2 && !homeless && !warming {
			return
		}
	}
	f.Fatalf("%+v", f.tasks())
}

func (f *fixture) tasks() operate.View {
	f.Helper()
	v, err := f.open().Tasks(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return v
}
