package fetch

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Once there was no room, and not because of who is only slow, as many feeds are read at a
// time as there is room for the largest batch of records of. They take turns. A task can
// only go on when it has records of all its inputs: its feeds have their turn together, and
// it gives back what waits when that is over and it does not get on. A task that waits for
// another input, for the time to try again, or because it is paused would else keep the
// room that others need. What is given back is fetched once more.
//
//	            its turn                     its turn is over
//	  waits ---------------> reads -----------------------------> yields
//	    ^                      |                                    |
//	    +----------------------+------------------------------------+
//	                            it holds nothing (any more)

// A group is the feeds of one task.
type group struct {
	feeds []*Feed
	state state
	busy  int       // feeds that are in the fetcher's list
	since time.Time // when its turn began, or when it was asked to yield
	after time.Time // when its next turn begins, at the earliest
	sum   int64     // bytes that were done when its turn began
	vain  int       // turns in a row in which nothing was done

	looked int64 // the fetcher's looks when it last looked
}

type state int8

const (
	reads  state = iota // or has nothing to do
	yields              // is not read; its worker was asked to give back what waits
	waits               // is not read, and holds nothing
)

// A yield is the answer to a request to give back.
type yield struct {
	group *group
	from  []int64 // by feed of the group, where to go on; negative: nothing of it waited
}

const (
	turn    = 2 * Patience  // for which a group is read while others wait
	slow    = 4 * turn      // and if it has not got what it needs by then
	eased   = 5 * turn      // after which turns end if half of the room is never taken
	overdue = 10 * Patience // is a worker that does not yield, which is not waited for then
	doubt   = 3 * Patience  // before turns begin: a commit may take so long
	maxVain = 8             // turns in vain: it is half a minute until the next one then
)

// Yield answers the batch that asked for it. from says where each feed of the group, in the
// order in which they were added, is to go on; it has a negative number for those of which
// nothing waits. What waited must have been dropped, and Done called for it. It may be
// called from any goroutine.
func (fd *Feed) Yield(from []int64) {
	f := fd.f
	f.mu.Lock()
	f.mu.yields = append(f.mu.yields, yield{fd.group, from})
	f.mu.Unlock()
	f.poke()
}

// Group are the feeds that were added together with this one, which has been added.
func (fd *Feed) Group() []*Feed { return fd.group.feeds }

// queued is how many bytes of the group wait, and done how many have ever been done.
func (g *group) queued() (queued, done int64) {
	for _, fd := range g.feeds {
		n := fd.queued.Load()
		queued += n
		done += fd.handed - n
	}
	return queued, done
}

// misses reports whether a feed of the group may have to wait for another one that has
// nothing.
func (g *group) misses(fd *Feed) bool {
	return slices.ContainsFunc(g.feeds, func(o *Feed) bool { return o != fd && o.queued.Load() == 0 && o.lags() })
}

// hungry reports whether the group waits for what is to be fetched.
func (g *group) hungry() bool { return g.misses(nil) }

// over reports whether a group that is read has had its turn.
func (g *group) over(now time.Time) bool {
	had := now.Sub(g.since)
	_, done := g.queued()
	return had >= slow || had >= turn && (done > g.sum || !g.hungry())
}

// takeTurns ends turns that are over, and begins those of others. It is told how many
// feeds are read, and returns how many are then.
func (f *Fetcher) takeTurns(r reading, read int, now time.Time, late []*Inbox, stuck int64) int {
	limit := len(f.busy)
	if f.turns || stuck > 0 {
		limit = max(1, sort.Search(limit, func(n int) bool { _, fits := deal(f.room-stuck, r, n+1); return !fits }))
	}
	f.line = slices.DeleteFunc(f.line, func(g *group) bool { return g.busy == 0 }) // they were removed
	may := func(g *group) bool { return !now.Before(g.after) && !slices.Contains(late, g.inbox()) }
	next := slices.IndexFunc(f.line, may)
	for i, g := range slices.Backward(f.reading()) {
		if read > limit && i > 0 || next >= 0 && read+f.line[next].busy > limit && g.over(now) {
			read -= g.busy
			f.close(g, now)
		}
	}
	yielding, _ := f.yielding(now)
	for next < len(f.line) && next >= 0 {
		g := f.line[next]
		if !may(g) {
			next++
			continue
		}
		if taken := read + yielding; taken > 0 && taken+g.busy > limit {
			break
		}
		f.line = slices.Delete(f.line, next, next+1)
		f.open(g, now)
		read += g.busy
	}
	return read
}

// idles has the fetcher poked as soon as a feed that is read has nothing to do any more,
// and reports whether one has nothing already: its turn is over, and others wait.
func (f *Fetcher) idles() (some bool) {
	for _, fd := range f.busy {
		if fd.wants() && !fd.lags() {
			fd.tell.Store(1)
			some = some || fd.queued.Load() == 0
		}
	}
	return some
}

// reading are the groups that are read and have something to do, in the order in which
// their turns began.
func (f *Fetcher) reading() (groups []*group) {
	f.looks++
	for _, fd := range f.busy {
		if g := fd.group; g.state == reads && g.looked != f.looks {
			g.looked = f.looks
			groups = append(groups, g)
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return a.since.Compare(b.since) })
	return groups
}

// yielding is how many feeds are about to be given back, and the workers that should have
// done so: what is read for those stays.
func (f *Fetcher) yielding(now time.Time) (feeds int, late []*Inbox) {
	for _, fd := range f.busy {
		switch g := fd.group; {
		case g.state != yields:
		case now.Sub(g.since) < overdue:
			feeds++
		case !slices.Contains(late, g.inbox()):
			late = append(late, g.inbox())
		}
	}
	return feeds, late
}

// stuck is how much memory what waits for workers that are late takes: nobody else has it
// for as long as their code does not return.
func (f *Fetcher) stuck(late []*Inbox) int64 {
	if len(late) == 0 {
		return 0
	}
	others := int64(0)
	for _, fd := range f.busy {
		if !slices.Contains(late, fd.group.inbox()) {
			others += fd.queued.Load()
		}
	}
	return max(0, f.held.Load()-others)
}

// inbox is that of the worker that has the task.
func (g *group) inbox() *Inbox { return g.feeds[0].To }

// begin notes that the turn of a group begins.
func (g *group) begin(now time.Time) {
	g.since = now
	_, g.sum = g.queued()
}

// open lets a group be read.
func (f *Fetcher) open(g *group, now time.Time) {
	g.state = reads
	g.begin(now)
	f.cl.ResumeFetchPartitions(f.present(g))
}

// close ends the turn of a group.
func (f *Fetcher) close(g *group, now time.Time) {
	f.cl.PauseFetchPartitions(f.present(g))
	queued, done := g.queued()
	switch {
	case done > g.sum:
		g.vain = 0
	case now.Sub(g.since) >= turn:
		g.vain++
	}
	for _, fd := range g.feeds {
		fd.paused = false
		fd.tell.Store(0)
	}
	if queued == 0 {
		f.queue(g, now)
		return
	}
	g.state, g.since = yields, now
	g.inbox().Put(Batch{Feed: g.feeds[0], Yield: true})
}

// queue puts a group into the line: one whose turns bring nothing, for longer and longer.
func (f *Fetcher) queue(g *group, now time.Time) {
	g.state, g.after = waits, now
	if g.vain > 0 {
		g.after = now.Add(Patience << min(g.vain, maxVain))
	}
	f.line = append(f.line, g)
}

// present are the partitions of a group's feeds that have not been removed.
func (f *Fetcher) present(g *group) partitions {
	ps := partitions{}
	for _, fd := range g.feeds {
		if f.feeds[fd.Topic][fd.Partition] == fd {
			ps.add(fd)
		}
	}
	return ps
}

// takeBack makes feeds go on from where their workers have given them back.
func (f *Fetcher) takeBack(ys []yield) {
	to := map[string]map[int32]kgo.EpochOffset{}
	for _, y := range ys {
		if y.group.state != yields {
			continue
		}
		f.queue(y.group, time.Now())
		for i, fd := range y.group.feeds {
			if y.from[i] < 0 || f.feeds[fd.Topic][fd.Partition] != fd {
				continue
			}
			fd.after = y.from[i]
			if to[fd.Topic] == nil {
				to[fd.Topic] = map[int32]kgo.EpochOffset{}
			}
			to[fd.Topic][fd.Partition] = kgo.EpochOffset{Epoch: -1, Offset: fd.after}
		}
	}
	if len(to) > 0 {
		f.drop()
		f.cl.SetOffsets(to)
	}
}

// drop forgets what the client drops when it is told of positions.
func (f *Fetcher) drop() {
	f.end(f.cut)
	f.cut = nil
}

// crammed reports whether there is no room for what a poll brings. A task may always have a
// batch of each of its inputs: it could never go on without.
func (f *Fetcher) crammed() bool {
	held := f.held.Load()
	if held <= max(0, f.levels.held) {
		return false
	}
	yielding, late := f.yielding(time.Now())
	if yielding > 0 {
		return true
	}
	var only *group
	for _, fd := range f.busy {
		switch g := fd.group; {
		case g.state != reads || g == only:
		case only == nil:
			only = g
		default:
			return true
		}
	}
	return only == nil || !only.hungry() || slices.Contains(late, only.inbox())
}

// relieve waits until there is room. If that takes long, tasks that do not get on give
// back what waits for them. A worker that has not looked for batches since then is at
// something else, such as a commit: that says nothing of its tasks, and it could not give
// anything back.
func (f *Fetcher) relieve(ctx context.Context) {
	began, patience := time.Now(), Patience
	if !f.turns {
		patience = doubt
	}
	timeout, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	poked, done := f.interruptible(timeout)
	defer done()
	groups := f.reading()
	sums := make([]int64, len(groups))
	for i, g := range groups {
		_, sums[i] = g.queued()
		g.inbox().Wake()
	}
	f.tell.Store(max(0, f.levels.held) + 1)
	if f.crammed() {
		<-poked.Done()
	}
	f.tell.Store(0)
	if timeout.Err() == nil || ctx.Err() != nil || !f.crammed() {
		return
	}
	now, closed := time.Now(), false
	looks := func(g *group) bool {
		taken := g.inbox().Taken()
		return !taken.Before(began) || now.Sub(taken) >= overdue
	}
	for i, g := range slices.Backward(groups) {
		if queued, sum := g.queued(); queued > 0 && sum == sums[i] && (i > 0 || !g.hungry()) && looks(g) {
			f.close(g, now)
			closed = true
		}
	}
	if g := f.hoarder(groups); g != nil && !closed && looks(g) {
		f.close(g, now)
		closed = true
	}
	if closed {
		f.lacked = now
	}
}

// hoarder is the group because of which the oldest answer is in memory, if answers of which
// little waits take most of the room.
func (f *Fetcher) hoarder(groups []*group) (hoarder *group) {
	queued, first := int64(0), int64(0)
	for _, g := range groups {
		n, _ := g.queued()
		queued += n
		for _, fd := range g.feeds {
			if lot, ok := fd.pieces.oldest(); ok && (hoarder == nil || lot < first) {
				hoarder, first = g, lot
			}
		}
	}
	if queued > f.held.Load()/2 {
		return nil
	}
	return hoarder
}
