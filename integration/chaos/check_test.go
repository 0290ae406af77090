package chaos

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/expect"
)

// check compares results and state with what they should be.
func (tr *trial) check() {
	tr.Helper()
	in := make(map[string][]expect.Record)
	written := int64(0)
	for _, topic := range inputs {
		in[topic] = tr.read(topic, text)
		written += int64(len(in[topic]))
		if topic != events && !expect.Ordered(in[topic]) {
			tr.Fatalf("%s is not in order of time: what should be made of it is not known, and nothing was checked", topic)
		}
	}
	if acked, failed := tr.feed.acked.Load(), tr.feed.failed.Load(); written < acked || written > acked+failed {
		tr.Errorf("the brokers said that they have %d records, and perhaps %d more; %d are there", acked, failed, written)
	}
	count, sum := expect.Once, expect.Once
	if tr.result.guarantee == exactlyOnce {
		count, sum = expect.One, expect.Plus
	}
	want := map[string]expect.Rows{
		counts: expect.Counts(in[events], count), sums: expect.Sums(in[events], sum),
		joined: expect.Joined(in[charges], in[rows]), pairs: expect.Pairs(in[lefts], in[rights]),
	}
	got := make(map[string]expect.Rows)
	for _, topic := range outputs {
		value := text
		if topic == counts || topic == sums {
			value = number
		}
		got[topic] = make(expect.Rows)
		for _, r := range tr.read(topic, value) {
			got[topic].Add(r)
		}
		if len(want[topic]) == 0 {
			tr.Errorf("%s should have nothing: that shows nothing", topic)
		}
	}
	if tr.result.guarantee == exactlyOnce {
		for _, topic := range outputs {
			tr.found(topic, want[topic].Exactly(got[topic]))
		}
		tr.checkState(in, got)
	} else {
		tr.checkAtLeastOnce(want, got)
	}
	tr.checkLocal()
	tr.result.checked = true
}

func (tr *trial) checkAtLeastOnce(want, got map[string]expect.Rows) {
	tr.Helper()
	tr.found(counts, want[counts].Repeated(got[counts]))
	tr.found(sums, want[sums].Repeated(got[sums]))
	tr.found(joined, want[joined].AtLeast(got[joined], expect.First))
	tr.found(pairs, want[pairs].AtLeast(got[pairs], expect.Whole))
}

// found takes in what was compared.
func (tr *trial) found(what string, d expect.Difference) {
	tr.Helper()
	tr.Logf("%s: %v", what, d)
	tr.result.lost += d.Lost
	tr.result.duplicated += d.Duplicated
	tr.result.wrong += d.Wrong
}

// checkState compares what the changelogs say at last with the last results, and those of tables and joins with their
// inputs.
func (tr *trial) checkState(in map[string][]expect.Record, got map[string]expect.Rows) {
	tr.Helper()
	tr.found("state counts", got[counts].Last().Exactly(last(tr.read("-counts-changelog", number))))
	windows := tr.read("-sums-changelog", number)
	for i := range windows {
		windows[i].Key = windowName(windows[i].Key)
	}
	tr.found("state sums", got[sums].Last().Exactly(last(windows)))
	tr.found("state rows", last(in[rows]).Exactly(last(tr.read("-rows-changelog", text))))
	for topic, changelog := range map[string]string{lefts: "-pairs-this-join-store-changelog", rights: "-pairs-other-join-store-changelog"} {
		kept, put := make(expect.Rows), make(expect.Rows)
		for _, r := range tr.read(changelog, text) {
			r.Key = r.Key[:len(r.Key)-12]
			kept.Add(r)
		}
		for _, r := range in[topic] {
			put.Add(r)
		}
		tr.found("state "+topic[1:], put.Exactly(kept))
	}
}

// last is what a changelog says at last of each key.
func last(records []expect.Record) expect.Rows {
	at := make(map[string]expect.Record)
	for _, r := range records {
		at[r.Key] = r
	}
	rs := make(expect.Rows)
	for _, r := range at {
		if !r.Null {
			rs.Add(r)
		}
	}
	return rs
}

// windowName is how the output calls what a changelog calls by key, start of the window and number.
func windowName(key string) string {
	n := len(key) - 12
	return fmt.Sprintf("%s@%d", key[:n], binary.BigEndian.Uint64([]byte(key[n:n+8])))
}

// read reads the committed records of a topic that have keys.
func (tr *trial) read(topic string, value func([]byte) string) (records []expect.Record) {
	tr.Helper()
	next := make(map[int32]int64)
	tr.must(tr.topics.All(tr.ctx, tr.app+topic, func(r *kgo.Record) error {
		if r.Offset < next[r.Partition] {
			return fmt.Errorf("%s[%d] was read again from %d on", r.Topic, r.Partition, r.Offset)
		}
		next[r.Partition] = r.Offset + 1
		if r.Key != nil {
			records = append(records, expect.Record{
				Partition: r.Partition, Key: string(r.Key), Value: value(r.Value), Null: r.Value == nil, Time: r.Timestamp.UnixMilli(),
			})
		}
		return nil
	}))
	return records
}

func text(v []byte) string { return string(v) }

func number(v []byte) string {
	if len(v) != 8 {
		return fmt.Sprintf("%d bytes", len(v))
	}
	return strconv.FormatInt(int64(binary.BigEndian.Uint64(v)), 10)
}
