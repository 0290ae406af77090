package fetch

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Whatever comes: if all fit, each feed has room for a batch beside what the brokers may be
// sending and what waits in the client, and all of that is no more than the room.
func TestDeal(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	fitted := 0
	for range 100_000 {
		room, feeds := rnd.Int64N(1<<uint(10+rnd.IntN(24)))+1, 1+rnd.IntN(1000)
		r := reading{batch: rnd.Int64N(1 << uint(1+rnd.IntN(24))), brokers: 1 + rnd.Int64N(10), growth: 1 + rnd.Int64N(40)}
		l, fits := deal(room, r, feeds)
		if l.part < minWire || l.answer < minWire || l.low > l.most && l.low > minLow {
			t.Fatalf("%d feeds in %d bytes, %+v: %+v", feeds, room, r, l)
		}
		if more, ok := deal(room, r, feeds+1); ok && !fits || more.held > l.held {
			t.Fatalf("%d feeds in %d bytes, %+v: there is room for one more", feeds, room, r)
		}
		if !fits {
			continue
		}
		fitted++
		sending := 2 * max(r.batch, room/4/r.brokers) * min(r.brokers, int64(feeds))
		if sending+int64(feeds)*r.batch > room || l.held+sending > room {
			t.Fatalf("%d feeds in %d bytes, %+v: %+v is too much", feeds, room, r, l)
		}
	}
	if fitted < 1000 {
		t.Errorf("only %d cases fit", fitted)
	}
}

// An answer is in memory until the last of its records is done, whoever waits for that.
func TestLot(t *testing.T) {
	t.Parallel()
	f := &Fetcher{}
	one, other := &Feed{f: f}, &Feed{f: f}
	give := func(fd *Feed, l *lot, n int64) {
		l.bytes += n
		f.held.Add(n)
		fd.queued.Add(n)
		fd.pieces.add(piece{n, l})
	}
	first := f.begin()
	give(one, first, 100)
	give(other, first, 1)
	one.Done(100)
	if n := f.Held(); n != 101 {
		t.Errorf("%d bytes while more may come", n)
	}
	f.end(first)
	second := f.begin()
	give(one, second, 50)
	f.end(second)
	if number, ok := other.pieces.oldest(); !ok || number != first.number {
		t.Errorf("the oldest is %d", number)
	}
	for _, step := range []struct {
		of   *Feed
		done int64
		held int64
	}{{one, 49, 151}, {other, 1, 50}, {one, 1, 0}} {
		step.of.Done(step.done)
		if n := f.Held(); n != step.held {
			t.Errorf("%d bytes, not %d", n, step.held)
		}
	}
	if _, ok := one.pieces.oldest(); ok {
		t.Error("a lot is left")
	}
}

// What waits for a worker that is late is not the others' room: as many are read as there is room for beside that.
func TestLate(t *testing.T) {
	t.Parallel()
	const batch, room, of, others = 600 << 10, 10 << 20, 9, 90
	f, err := New([]kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, room, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.cl.Close()
	f.gauge.now.batch.Store(batch)
	f.gauge.now.brokers.Store(0b111)
	f.lacked, f.tight = time.Now(), time.Now()
	add := func(n int, to *Inbox, begin func(g *group)) {
		for range n {
			fd := &Feed{Topic: "topic", Partition: int32(len(f.busy)), To: to, f: f, End: 1, busy: true}
			fd.group = &group{feeds: []*Feed{fd}, busy: 1}
			f.feeds[fd.Topic] = map[int32]*Feed{}
			f.busy = append(f.busy, fd)
			begin(fd.group)
		}
	}
	add(of, NewInbox(), func(g *group) {
		g.state, g.since = yields, time.Now().Add(-overdue)
		g.feeds[0].queued.Store(batch)
		f.held.Add(batch)
	})
	add(others, NewInbox(), func(g *group) { f.queue(g, time.Now()) })
	for range 10 {
		read := len(f.reading())
		f.share(read, true)
		if read = len(f.reading()); read == 0 || f.crammed() || f.held.Load()+int64(read)*batch > f.levels.held {
			t.Fatalf("%d feeds are read, with %d of %d bytes held; crammed: %t", read, f.held.Load(), f.levels.held, f.crammed())
		}
	}
}

func TestGauge(t *testing.T) {
	t.Parallel()
	g := &gauge{}
	if r := g.read(); r != (reading{brokers: 1, growth: usualGrowth}) {
		t.Errorf("at first: %+v", r)
	}
	for node := range int32(3) {
		g.OnFetchBatchRead(kgo.BrokerMetadata{NodeID: node}, "", 0, kgo.FetchBatchMetrics{NumRecords: 10, UncompressedBytes: 2000, CompressedBytes: 1000})
	}
	want := reading{batch: 2000 + 10*recordOverhead, brokers: 3, growth: (2000 + 10*recordOverhead) / 1000}
	for range 2 { // it counts for another span
		if r := g.read(); r != want {
			t.Errorf("%+v, not %+v", r, want)
		}
	}
}
