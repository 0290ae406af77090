package fetch

import (
	"context"
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

// levels are how many bytes a feed may hold.
type levels struct {
	low  int64 // with no more than that it wants more
	most int64 // with more it is paused at once
	part int32 // are fetched at a time
}

const (
	patience = 100 * time.Millisecond // for which a feed that has enough may keep others waiting

	minLow, maxLow   = 32 << 10, 3 << 20
	minPart, maxPart = 64 << 10, 1 << 20
)

// share gives each of some feeds its part of the room for all.
func share(room int64, feeds int) levels {
	each := room / int64(max(feeds, 1))
	return levels{
		low:  min(max(each/8, minLow), maxLow),
		most: max(each, 2*minLow),
		part: int32(min(max(each/8, minPart), maxPart)),
	}
}

// Done says that n bytes of a feed's batches do not wait any more. It may be
// called from any goroutine.
func (fd *Feed) Done(n int64) {
	if fd.queued.Add(-n) < fd.tell.Load() {
		fd.f.poke()
	}
}

// lags reports whether there is more to fetch, as far as is known.
func (fd *Feed) lags() bool { return fd.End < 0 || fd.after < fd.End }

// work notes that a feed has something to do.
func (f *Fetcher) work(fd *Feed) {
	if !fd.busy {
		fd.busy = true
		f.busy = append(f.busy, fd)
	}
}

// review resumes what wants more, forgets who has nothing to do any more, and deals the
// room out to the others.
func (f *Fetcher) review() {
	on := map[string][]int32{}
	busy := f.busy[:0]
	for _, fd := range f.busy {
		queued, removed := fd.queued.Load(), f.feeds[fd.Topic][fd.Partition] != fd
		if fd.paused && !removed && queued < fd.tell.Load() {
			fd.paused, fd.slow = false, time.Since(fd.since) >= patience
			fd.tell.Store(0)
			on[fd.Topic] = append(on[fd.Topic], fd.Partition)
		}
		if fd.busy = !removed && (queued > 0 || fd.paused || fd.lags()); fd.busy {
			busy = append(busy, fd)
		} else {
			fd.tell.Store(0)
		}
	}
	clear(f.busy[len(busy):])
	f.busy = busy
	if len(on) > 0 {
		f.cl.ResumeFetchPartitions(on)
	}
	if l := share(f.room, len(busy)); l != f.levels {
		f.levels = l
		f.cl.UpdateFetchMaxBytes(f.maxBytes, l.part)
	}
}

// enough reports whether some feed has enough, and none wants more.
func (f *Fetcher) enough() (some bool) {
	for _, fd := range f.busy {
		switch {
		case fd.paused:
		case fd.queued.Load() > f.levels.low:
			some = true
		case fd.lags():
			return false
		}
	}
	return some
}

// rest waits until a feed wants more, or there is something else to do. Those that still
// have enough after some time are paused: what they are waited for takes long.
func (f *Fetcher) rest(ctx context.Context) {
	timeout, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	poked, done := f.interruptible(timeout)
	defer done()
	for _, fd := range f.busy {
		if !fd.paused {
			fd.tell.Store(f.levels.low + 1)
		}
	}
	if f.enough() { // nobody was served before he was watched
		<-poked.Done()
	}
	over := timeout.Err() != nil && ctx.Err() == nil
	for _, fd := range f.busy {
		switch {
		case fd.paused:
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
	f.cl.PauseFetchPartitions(map[string][]int32{fd.Topic: {fd.Partition}})
}
