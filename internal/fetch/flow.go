package fetch

import (
	"context"
	"slices"
	"time"
)

// What waits for the tasks is bounded. The obvious way, to pause a partition that has
// enough, is a bad one:
//
//   - A client whose records have all been polled sends its next fetch at once. What that
//     brings for a partition which is paused afterwards is dropped, and fetched again.
//   - A fetch of nothing but partitions that have been read to their ends stays at the
//     broker for MaxWait. Partitions that are resumed meanwhile run dry behind it.
//
// So the fetcher rests while nobody wants more, with records of all partitions in the
// client's hands that it need only poll. What is paused is a feed that others should not
// wait for: its receiver is slow, or has far more than its share.

// What may be in memory at a time is dealt out to the feeds that are read; where it is
// taken by what does not get on they take turns, which is turns.go.

// levels are how many bytes the feeds that are read may take.
type levels struct {
	low    int64 // a feed with no more than that wants more
	most   int64 // a feed with more is paused at once
	held   int64 // with more than that in all there is no room for another answer
	part   int32 // are fetched at a time of a feed, on the wire
	answer int32 // and of all
}

const (
	// Patience is for how long a feed that has enough, or does not get on, may keep others
	// waiting.
	Patience = 100 * time.Millisecond

	minLow, maxLow   = 32 << 10, 3 << 20
	minPart, maxPart = 64 << 10, 4 << 20

	minWire, maxWire = 4 << 10, 50 << 20

	leastParts = 8 // partitions with much to read fill an answer, however many there are
	leastHeld  = 8 // the part of the room that may wait however large batches were: those come seldom
)

// deal divides the room among so many feeds that are read at a time. Each broker has an
// answer that waits in the client, while another one is on its way; the rest may wait for
// the tasks. fits reports whether each feed may have the largest batch in there.
func deal(room int64, r reading, feeds int) (l levels, fits bool) {
	n := int64(max(feeds, 1))
	answer := max(room/4/r.brokers, r.batch)
	l.held = max(room-2*answer*min(r.brokers, n), room/leastHeld)
	each := l.held / n
	l.low = min(max(each/4, minLow), maxLow)
	l.most = max(each, r.batch, 2*minLow)
	l.part = wire(min(max(each/2, answer/leastParts, minPart), maxPart), r)
	l.answer = wire(answer, r)
	return l, each >= r.batch
}

// wire is how many bytes on the wire take that much memory.
func wire(memory int64, r reading) int32 { return int32(min(max(memory/r.growth, minWire), maxWire)) }

// Done says that n bytes of a feed's batches do not wait any more. It may be
// called from any goroutine.
func (fd *Feed) Done(n int64) {
	enough := fd.queued.Add(-n) >= fd.tell.Load()
	if freed := fd.pieces.done(n); freed > 0 {
		enough = fd.f.held.Add(-freed) >= fd.f.tell.Load() && enough
	}
	if !enough {
		fd.f.poke()
	}
}

// Held is how many bytes of memory wait for the tasks: of what was handed over and is not
// done, and of what came with it. It may be called from any goroutine.
func (f *Fetcher) Held() int64 { return f.held.Load() }

// lags reports whether there is more to fetch, as far as is known.
func (fd *Feed) lags() bool { return fd.End < 0 || fd.after < fd.End }

// wants reports whether the feed is to be read.
func (fd *Feed) wants() bool { return fd.group.state == reads && !fd.paused }

// work notes that a feed has something to do.
func (f *Fetcher) work(fd *Feed) {
	if !fd.busy {
		fd.busy = true
		f.busy = append(f.busy, fd)
		if fd.group.busy++; fd.group.busy == 1 && fd.group.state == reads {
			fd.group.begin(time.Now())
		}
	}
}

// review resumes what wants more, forgets who has nothing to do any more, and deals the
// room out to the others.
func (f *Fetcher) review() {
	on := partitions{}
	busy, read, away := f.busy[:0], 0, false
	for _, fd := range f.busy {
		queued, removed := fd.queued.Load(), f.feeds[fd.Topic][fd.Partition] != fd
		elsewhere := fd.group.state != reads
		if fd.paused && !elsewhere && !removed && queued < fd.tell.Load() {
			fd.paused, fd.slow = false, time.Since(fd.since) >= Patience
			fd.tell.Store(0)
			on.add(fd)
		}
		if fd.busy = !removed && (queued > 0 || fd.paused || elsewhere || fd.lags()); fd.busy {
			busy = append(busy, fd)
		} else {
			fd.tell.Store(0)
			fd.group.busy--
		}
		switch {
		case fd.busy && elsewhere:
			away = true
		case fd.busy:
			read++
		}
	}
	clear(f.busy[len(busy):])
	f.busy = busy
	if len(on) > 0 {
		f.cl.ResumeFetchPartitions(on)
	}
	f.share(read, away)
}

// partitions are named as the client wants them.
type partitions map[string][]int32

func (ps partitions) add(fd *Feed) { ps[fd.Topic] = append(ps[fd.Topic], fd.Partition) }

// share deals the room out to so many feeds that are read, or lets them take turns; away
// says that some are not read.
func (f *Fetcher) share(read int, away bool) {
	r, now, stuck := f.gauge.read(), time.Now(), int64(0)
	if f.turns = f.lacks(now); f.turns || away || len(f.line) > 0 {
		_, late := f.yielding(now)
		stuck = f.stuck(late)
		read = f.takeTurns(r, read, now, late, stuck)
	}
	l, _ := deal(f.room-stuck, r, read)
	if l.held += stuck; l != f.levels {
		f.levels = l
		f.cl.UpdateFetchMaxBytes(l.answer, l.part)
	}
}

// lacks reports whether there was no room a short time ago, and may be none again if all
// are read.
func (f *Fetcher) lacks(now time.Time) bool {
	if f.held.Load() > f.levels.held/2 {
		f.tight = now
	}
	return now.Sub(f.lacked) < spanTime && now.Sub(f.tight) < eased
}

// enough reports whether some feed has enough, and none wants more.
func (f *Fetcher) enough() (some bool) {
	for _, fd := range f.busy {
		switch {
		case !fd.wants():
		case fd.queued.Load() > f.levels.low:
			some = true
		case fd.lags():
			return false
		}
	}
	return some
}

// minPace, maxPace and perPartition say how long what keeps up leaves between two polls:
// so long for each partition that is read.
const (
	minPace, maxPace = time.Millisecond, 5 * time.Millisecond
	perPartition     = 5 * time.Microsecond
)

// pace waits if the last poll was a short time ago and nothing lags. After a poll the
// client makes a fetch, for which it goes through all partitions, also those that have had
// nothing for long.
func (f *Fetcher) pace(ctx context.Context) {
	wait := min(time.Duration(f.total)*perPartition, maxPace) - time.Since(f.polled)
	if wait < minPace || slices.ContainsFunc(f.busy, (*Feed).lags) {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// rest waits until a feed wants more, or there is something else to do. Those that still
// have enough after some time are paused: what they are waited for takes long.
func (f *Fetcher) rest(ctx context.Context) {
	timeout, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	poked, done := f.interruptible(timeout)
	defer done()
	for _, fd := range f.busy {
		if fd.wants() {
			fd.tell.Store(f.levels.low + 1)
		}
	}
	if f.enough() { // nobody was served before he was watched
		<-poked.Done()
	}
	over := timeout.Err() != nil && ctx.Err() == nil
	for _, fd := range f.busy {
		switch {
		case !fd.wants():
		case over && fd.queued.Load() > f.levels.low:
			f.pause(fd)
		default:
			fd.tell.Store(0)
		}
	}
}

// pause stops to fetch a feed until half of what it holds is gone.
func (f *Fetcher) pause(fd *Feed) {
	fd.paused, fd.slow, fd.since = true, true, time.Now()
	fd.tell.Store(max(1, fd.queued.Load()/2))
	f.cl.PauseFetchPartitions(partitions{fd.Topic: {fd.Partition}})
}
