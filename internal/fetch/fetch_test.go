package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/kafka/kafkatest"
)

const topic = "in"

// A fixture is a fetcher that runs, on a cluster under a virtual clock.
type fixture struct {
	*kafkatest.Cluster
	t     *testing.T
	cl    *kgo.Client
	f     *Fetcher
	inbox *Inbox
	ended chan struct{}
	errs  chan error // of feeds that could not be read on
	stop  context.CancelFunc
	cut   atomic.Bool // what the fetcher connects to closes the connection
}

// dial connects the fetcher.
func (x *fixture) dial(ctx context.Context, network, host string) (net.Conn, error) {
	c, err := x.cl.OptValue(kgo.Dialer).(func(context.Context, string, string) (net.Conn, error))(ctx, network, host)
	if err == nil && x.cut.Load() {
		c = &closed{Conn: c}
	}
	return c, err
}

// A closed connection is one that is closed when it has told its version: there is no answer to the second request.
type closed struct {
	net.Conn
	requests atomic.Int32
}

func (c *closed) Write(b []byte) (int, error) {
	c.requests.Add(1)
	return c.Conn.Write(b)
}

func (c *closed) Read(b []byte) (int, error) {
	if c.requests.Load() > 1 {
		return 0, io.EOF
	}
	return c.Conn.Read(b)
}

func run(t *testing.T, f func(t *testing.T, x *fixture)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := &fixture{t: t, inbox: NewInbox(), ended: make(chan struct{}), errs: make(chan error, 10)}
		x.Cluster = kafkatest.Start(t, kfake.SeedTopics(2, topic))
		x.cl = x.Client()
		var err error
		if x.f, err = New(append(x.Opts, kgo.Dialer(x.dial)), 1<<20, x.broken); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		x.stop = stop
		go func() { defer close(x.ended); x.f.Run(ctx) }()
		f(t, x)
		stop()
		<-x.ended
	})
}

func (x *fixture) broken(_ *Feed, err error) { x.errs <- err }

// put writes records, each a batch of its own, with their numbers as keys.
func (x *fixture) put(from, n int) {
	for i := from; i < from+n; i++ {
		x.Produce(x.cl, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i)})
	}
}

func (x *fixture) feed(from int64) *Feed {
	return &Feed{Topic: topic, From: from, End: -1, To: x.inbox}
}

func (x *fixture) add(fd *Feed) {
	x.t.Helper()
	if err := x.f.Add(x.t.Context(), []*Feed{fd}); err != nil {
		x.t.Error(err)
	}
}

// expect checks the keys that a feed, and no other, has been given for a second.
func (x *fixture) expect(fd *Feed, keys string) {
	x.t.Helper()
	if got := strings.Join(x.take(fd), " "); got != keys {
		x.t.Errorf("got %q, not %q", got, keys)
	}
}

// take returns the keys that a feed, and no other, is given within a second.
func (x *fixture) take(fd *Feed) (keys []string) {
	x.t.Helper()
	time.Sleep(time.Second)
	for _, b := range x.inbox.Take() {
		if b.Feed != fd {
			x.t.Errorf("a batch of the feed from %d", b.Feed.From)
		}
		for _, r := range b.Records {
			keys = append(keys, string(r.Key))
		}
		b.Feed.Done(b.Bytes)
	}
	return keys
}

func TestFeed(t *testing.T) {
	run(t, func(_ *testing.T, x *fixture) {
		x.put(0, 3)
		fd := x.feed(1)
		x.add(fd)
		x.expect(fd, "1 2")
		x.put(3, 1)
		x.expect(fd, "3")
	})
}

// A feed is read from where it begins, wherever the one before it was, and nothing
// that was fetched for that one is taken for its own.
func TestSeek(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		x.put(0, 4)
		first := x.feed(0)
		x.add(first)
		x.expect(first, "0 1 2 3")
		if err := x.f.Remove(t.Context(), []*Feed{first}); err != nil {
			t.Error(err)
		}
		x.put(4, 1)
		x.expect(nil, "")
		back := x.feed(2)
		x.add(back)
		x.expect(back, "2 3 4")
		again := x.feed(3) // takes the place of back
		x.add(again)
		x.expect(again, "3 4")
		if err := x.f.Remove(t.Context(), []*Feed{back}); err != nil { // which is gone already
			t.Error(err)
		}
		x.put(5, 1)
		x.expect(again, "5")
	})
}

// heavy writes records of which two are what the smallest feed may hold and still want more, compressed or not.
func (x *fixture) heavy(from, n int) {
	noise := rand.NewChaCha8([32]byte{})
	for i := from; i < from+n; i++ {
		value := make([]byte, minLow/2)
		_, _ = noise.Read(value) // never fails
		x.Produce(x.cl, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: value})
	}
}

// A feed whose reader is slow is paused, and resumed when it has done half of what it holds.
func TestPause(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		synctest.Wait()
		x.f.room = 4 * minLow
		fd := x.feed(0)
		x.add(fd)
		x.heavy(0, 4)
		time.Sleep(time.Second)
		x.heavy(4, 4)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := fd.queued.Load(); n < minLow || n > 5*minLow || !fd.paused {
			t.Errorf("%d bytes wait, paused: %v", n, fd.paused)
		}
		var got []string
		for range 5 { // a fetch brings four at most
			got = append(got, x.take(fd)...)
		}
		if got := strings.Join(got, " "); got != "0 1 2 3 4 5 6 7" {
			t.Errorf("got %q", got)
		}
	})
}

// A feed whose reader is quick is not paused: the fetcher rests until it wants more, and no fetch that waits for an idle
// partition stands in its way.
func TestRest(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		const n = 400
		synctest.Wait()
		x.f.room = 16 * minLow
		idle := &Feed{Topic: topic, Partition: 1, To: NewInbox()}
		fd := x.feed(0)
		x.heavy(0, n)
		x.add(idle)
		x.add(fd)
		<-x.inbox.Some() // the first fetch may have begun before the feed was there
		began, got := time.Now(), 0
		for got < n {
			for _, b := range x.inbox.Take() {
				for _, r := range b.Records {
					time.Sleep(time.Millisecond)
					b.Feed.Done(int64(len(r.Key)+len(r.Value)) + recordOverhead)
					got++
				}
			}
			if got < n {
				<-x.inbox.Some()
			}
		}
		if took := time.Since(began); took > n*time.Millisecond+MaxWait/2 {
			t.Errorf("%d ms of work took %v", n, took)
		}
		synctest.Wait()
		if fd.slow {
			t.Error("the feed is taken for a slow one")
		}
	})
}

// Nobody waits for a feed whose reader does not come.
func TestStuck(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		synctest.Wait()
		x.f.room = 8 * minLow
		stuck, other := x.feed(0), &Feed{Topic: topic, Partition: 1, To: NewInbox()}
		x.heavy(0, 4)
		x.add(stuck)
		x.add(other)
		time.Sleep(time.Second)
		for i := range 10 {
			x.Produce(x.cl, &kgo.Record{Topic: topic, Partition: 1, Key: fmt.Append(nil, i)})
			began := time.Now()
			<-other.To.Some()
			other.Done(other.To.Take()[0].Bytes)
			if took := time.Since(began); took > MaxWait/2 {
				t.Errorf("record %d took %v", i, took)
			}
		}
	})
}

// Connections that are closed before the first answer pass, like any others that break. The client does not take them so
// when a partition has moved to a broker that it has not talked to yet.
func TestClosedConnections(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		x.put(0, 1)
		fd := x.feed(0)
		x.add(fd)
		x.expect(fd, "0")
		x.cut.Store(true)
		for broker := range int32(3) {
			if err := x.MoveTopicPartition(topic, 0, broker); err != nil {
				t.Fatal(err)
			}
			x.expect(nil, "")
		}
		x.cut.Store(false)
		x.put(1, 1)
		time.Sleep(10 * time.Second) // until the client tries again
		x.expect(fd, "1")
	})
}

// A position that the topic does not hold is never replaced by another one.
func TestOutOfRange(t *testing.T) {
	for name, from := range map[string]int64{"below": 1, "beyond": 9} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, x *fixture) {
				x.put(0, 4)
				if err := x.DeleteRecords(topic, 0, 2); err != nil {
					t.Fatal(err)
				}
				x.add(x.feed(from))
				x.expect(nil, "")
				if n := len(x.errs); n != 1 {
					t.Fatalf("%d errors", n)
				}
				err := <-x.errs
				if pe, ok := errors.AsType[*PositionError](err); !ok || pe.Topic != topic || !errors.Is(pe, kerr.OffsetOutOfRange) {
					t.Errorf("told of %v", err)
				}
				held := x.feed(2)
				x.add(held)
				x.expect(held, "2 3")
			})
		})
	}
}

// Where there is room for one feed only, those that keep up with what comes take turns as fast as it is processed, not
// for as long as a turn may last.
func TestShortTurns(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		synctest.Wait()
		x.f.room, x.f.lacked = 7*(recordOverhead+5)/2, time.Now().Add(time.Hour)
		for p := range int32(2) {
			fd := x.feed(0)
			fd.Partition = p
			x.add(fd)
		}
		const each = 200
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := range each {
				for p := range int32(2) {
					x.Produce(x.cl, &kgo.Record{Topic: topic, Partition: p, Timestamp: time.Now(), Key: fmt.Append(nil, i)})
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
		var slowest time.Duration
		for n := 0; n < 2*each; {
			<-x.inbox.Some()
			for _, b := range x.inbox.Take() {
				if b.Yield {
					b.Feed.Yield([]int64{-1})
					continue
				}
				for _, r := range b.Records {
					slowest = max(slowest, time.Since(r.Timestamp))
				}
				n += len(b.Records)
				b.Feed.Done(b.Bytes)
			}
		}
		writing.Wait()
		if slowest >= turn/2 {
			t.Errorf("a record waited for %v", slowest)
		}
	})
}

// Two workers have eight partitions each, and one of them lets what waits for it take all the room: for as long as a
// commit takes, say. That begins no turns, which would slow everybody down for seconds, until it has taken too long.
func TestTurnsBegin(t *testing.T) {
	for _, c := range []struct {
		name  string
		away  time.Duration // for which the worker does nothing, once
		looks bool          // for batches, meanwhile
		turns bool
	}{
		{"commit", 8 * Patience, false, false},
		{"no progress", doubt - Patience/2, true, false},
		{"no progress for long", 2 * doubt, true, true},
		{"stuck", 3 * overdue, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, x *fixture) {
				synctest.Wait()
				x.f.room = 8 * minLow
				const partitions, each = 16, 6
				if _, err := kadm.NewClient(x.cl).CreateTopic(t.Context(), partitions, 1, nil, "wide"); err != nil {
					t.Fatal(err)
				}
				away, other := x.inbox, NewInbox()
				for p := range int32(partitions) {
					for i := range each {
						x.Produce(x.cl, &kgo.Record{Topic: "wide", Partition: p, Key: fmt.Append(nil, i), Value: make([]byte, minLow)})
					}
					x.add(&Feed{Topic: "wide", Partition: p, End: each, To: []*Inbox{away, other}[p%2]})
				}
				var asked atomic.Bool
				work := func(in *Inbox, till time.Time, looks bool) {
					var taken []Batch
					take := func() {
						for _, b := range in.Take() {
							if b.Yield {
								asked.Store(true)
								b.Feed.Yield([]int64{-1})
							} else {
								taken = append(taken, b)
							}
						}
					}
					for over := time.After(time.Until(till)); over != nil; {
						some := in.Some()
						if !looks {
							some = nil
						}
						select {
						case <-some:
							take()
						case <-over:
							over = nil
						}
					}
					for n := 0; n < each*partitions/2; {
						take()
						for _, b := range taken {
							n += len(b.Records)
							b.Feed.Done(b.Bytes)
						}
						if taken = taken[:0]; n < each*partitions/2 {
							<-in.Some()
						}
					}
				}
				var workers sync.WaitGroup
				workers.Go(func() { work(away, time.Now().Add(c.away), c.looks) })
				workers.Go(func() { work(other, time.Time{}, true) })
				workers.Wait()
				x.stop()
				<-x.ended
				if turns := !x.f.lacked.IsZero(); turns != c.turns || asked.Load() && !turns {
					t.Errorf("turns: %v, asked to give back: %v", turns, asked.Load())
				}
			})
		})
	}
}

// Who has nothing to do is woken, and so seen not to be at a commit: what waits for it is asked back as soon as
// that of others, not when its worker is overdue.
func TestIdleIsWoken(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		synctest.Wait()
		x.f.room = 16 * minLow
		const partitions, each = 16, 6
		if _, err := kadm.NewClient(x.cl).CreateTopic(t.Context(), partitions, 1, nil, "wide"); err != nil {
			t.Fatal(err)
		}
		idle, commits := x.inbox, NewInbox()
		fill := func(p int32, n int) {
			for i := range n {
				x.Produce(x.cl, &kgo.Record{Topic: "wide", Partition: p, Key: fmt.Append(nil, i), Value: make([]byte, minLow)})
			}
		}
		fill(0, 1)
		x.add(&Feed{Topic: "wide", Partition: 0, End: 1, To: idle})
		for p := range int32(partitions - 1) {
			x.add(&Feed{Topic: "wide", Partition: p + 1, End: each, To: commits})
		}
		time.AfterFunc(overdue/2, func() {
			for p := range int32(partitions - 1) {
				fill(p+1, each)
			}
		})
		began := time.Now()
		for {
			select {
			case <-idle.Some():
			case <-time.After(time.Minute):
				t.Fatal("it is never asked to give back what waits for it")
			}
			for _, b := range idle.Take() {
				if !b.Yield {
					continue // it waits for something else
				}
				b.Feed.Yield([]int64{-1})
				if took := time.Since(began); took >= overdue {
					t.Errorf("asked after %v", took)
				}
				return
			}
		}
	})
}

// Turns end soon after what made them necessary: who is slow then, with a little, is not asked to give it back.
func TestTurnsEnd(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		synctest.Wait()
		x.f.gauge.now.batch.Store(x.f.room) // a batch was as large as that
		x.f.lacked, x.f.tight = time.Now(), time.Now()
		feeds := []*Feed{x.feed(0), x.feed(0)}
		for p, fd := range feeds {
			fd.Partition = int32(p)
			x.add(fd)
		}
		began, asked, late := time.Now(), 0, 0
		for n := 0; time.Since(began) < 5*time.Second; n++ {
			x.Produce(x.cl, &kgo.Record{Topic: topic, Partition: int32(n % 2), Key: fmt.Append(nil, n)})
			time.Sleep(50 * time.Millisecond)
			for _, b := range x.inbox.Take() {
				if !b.Yield {
					continue // it takes long
				}
				b.Feed.Yield([]int64{-1})
				if asked++; time.Since(began) > eased+turn {
					late++
				}
			}
		}
		if asked == 0 || late > 0 {
			t.Errorf("asked to give back %d times, %d of them late", asked, late)
		}
	})
}

// Beside many partitions that have nothing, what comes one by one is fetched together: each fetch costs something for
// every partition.
func TestPace(t *testing.T) {
	run(t, func(t *testing.T, x *fixture) {
		const partitions, records = 1000, 500
		if _, err := kadm.NewClient(x.cl).CreateTopic(t.Context(), partitions, 1, nil, "wide"); err != nil {
			t.Fatal(err)
		}
		var feeds []*Feed
		for p := range int32(partitions) {
			feeds = append(feeds, &Feed{Topic: "wide", Partition: p, To: x.inbox})
		}
		if err := x.f.Add(t.Context(), feeds); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		var fetches atomic.Int64
		x.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			x.KeepControl()
			fetches.Add(1)
			return nil, nil, false
		})
		for i := range records {
			x.Produce(x.cl, &kgo.Record{Topic: "wide", Key: fmt.Append(nil, i)})
			time.Sleep(time.Millisecond)
			for _, b := range x.inbox.Take() {
				b.Feed.Done(b.Bytes)
			}
		}
		if n := fetches.Load(); n > records/4 {
			t.Errorf("%d fetches for %d records", n, records)
		}
	})
}
