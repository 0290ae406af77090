package recovery

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/integration/cluster"
)

const (
	restored   = 3_000_000 // records of a changelog, each of 16 bytes, each of another key
	partitions = 4
)

// TestRestore: each system restores the same changelog, on disk and in memory, round by round; beside them a bare
// consumer that does nothing with what it reads.
func TestRestore(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	f := newFixture(t, c, "restore")
	f.fill()
	rates := map[string][]float64{}
	for range *rounds {
		rates["bare consumer"] = append(rates["bare consumer"], f.consume())
		for _, memory := range []bool{false, true} {
			for _, s := range chosen() {
				name := fmt.Sprintf("%s, %s", s, map[bool]string{true: "memory", false: "disk"}[memory])
				rates[name] = append(rates[name], f.restore(s, memory))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rates)) {
		all := rates[name]
		slices.Sort(all)
		fmt.Printf("restore: %-24s %9.0f records/s (median of %d; %.0f to %.0f)\n", name, all[len(all)/2], len(all), all[0], all[len(all)-1])
	}
}

// fill makes the changelog, and commits the beginning of the input: what has state has offsets.
func (f *fixture) fill() {
	f.Helper()
	compacted := "compact"
	_, err := f.admin.CreateTopic(f.ctx, partitions, 1, map[string]*string{"cleanup.policy": &compacted}, f.changelog())
	f.must(err)
	for i := range restored {
		value := binary.BigEndian.AppendUint64(nil, uint64(i))
		f.client.Produce(f.ctx, &kgo.Record{Topic: f.changelog(), Key: fmt.Appendf(nil, "k%07d", i), Value: value}, f.produced)
	}
	f.must(f.client.Flush(f.ctx))
	var offsets kadm.Offsets
	for p := range int32(partitions) {
		offsets.AddOffset(f.input, p, 0, -1)
	}
	f.must(f.admin.CommitAllOffsets(f.ctx, f.application, offsets))
}

// consume reads the changelog and returns how many records per second that gave.
func (f *fixture) consume() float64 {
	f.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.brokers...), kgo.ConsumeTopics(f.changelog()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxBytes(50<<20), kgo.FetchMaxPartitionBytes(8<<20))
	f.must(err)
	defer cl.Close()
	began := time.Now()
	for n := 0; n < restored; {
		fetches := cl.PollFetches(f.ctx)
		f.must(fetches.Err())
		n += fetches.NumRecords()
	}
	rate := restored / time.Since(began).Seconds()
	f.Logf("bare consumer: %.0f records/s", rate)
	return rate
}

// restore starts a process without state, and returns how many records per second it restored.
func (f *fixture) restore(s system, memory bool) float64 {
	f.Helper()
	j := f.job
	j.dir, j.memory = f.TempDir(), memory
	p := start(f, s, &j, "a")
	begin, end := f.awaitRestored(s, p)
	p.signal(syscall.SIGKILL)
	f.must(f.disband())
	rate := restored / end.Sub(begin).Seconds()
	f.Logf("%s, memory=%t: %d records in %v: %.0f records/s, %v of CPU since its start", s, memory, restored, end.Sub(begin).Round(time.Millisecond), rate, p.cpu().Round(10*time.Millisecond))
	return rate
}

func (f *fixture) awaitRestored(s system, p *process) (begin, end time.Time) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, 3*time.Minute)
	defer cancel()
	for {
		p.alive()
		n := int64(0)
		for _, l := range p.lines() {
			if l.Message == "restored store" {
				n += l.Records
			}
		}
		if n == restored {
			return s.restored(p.lines())
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			f.Fatalf("%s restored %d of %d records", s, n, restored)
		}
	}
}

// disband makes members that are dead leave the group at once.
func (f *fixture) disband() error {
	groups, err := f.admin.DescribeGroups(f.ctx, f.application)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = f.application
	for _, m := range groups[f.application].Members {
		leaver := kmsg.NewLeaveGroupRequestMember()
		leaver.MemberID, leaver.InstanceID = m.MemberID, m.InstanceID
		req.Members = append(req.Members, leaver)
	}
	if len(req.Members) == 0 {
		return nil
	}
	_, err = req.RequestWith(f.ctx, f.client)
	return err
}
