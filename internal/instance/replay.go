package instance

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
)

// A replay is the restoring of one store from its changelog.
type replay struct {
	in         *Instance
	slot       *slot
	store      *state.Store
	changelog  kafka.TopicPartition
	begin, end int64 // of the changelog
	tide       tide  // of the changelog: what makes the position current
	own        bool  // else it is a topic that the task reads, too
	hasOffsets bool  // one of the task's inputs has a committed offset, at least
	follows    bool  // it is a copy that stands by: nobody processes on it
	spec       task.Store

	restorer *state.Restorer
	intake   *task.Intake // makes rows of what others have written
	message  task.Message // that it has in hand
	from     int64
	next     int64 // read up to here; pos is behind it while a row cannot be read
	pos      engine.Position
	records  int
	began    time.Time
	gathers  int       // bytes before they are written
	waits    int       // bytes that are applied but not written
	written  time.Time // when last
	keepsUp  bool      // and then it lacked no more than a copy may
	loose    bool      // a crash may lose some of what was taken
	level    level     // for others to read
}

// replays are those of a task by their changelogs. A source topic may be that of
// several stores.
type replays map[kafka.TopicPartition][]*replay

// all are in the order of the changelogs, so that the simulator can repeat what happens.
func (rs replays) all() iter.Seq2[kafka.TopicPartition, *replay] {
	return func(yield func(kafka.TopicPartition, *replay) bool) {
		for _, tp := range slices.SortedFunc(maps.Keys(rs), kafka.TopicPartition.Compare) {
			for _, r := range rs[tp] {
				if !yield(tp, r) {
					return
				}
			}
		}
	}
}

// targets are what to read: of a source what any of its stores lacks.
func (rs replays) targets() (targets []changelog.Target) {
	last := -1
	for tp, r := range rs.all() {
		if last < 0 || targets[last].TopicPartition != tp {
			targets = append(targets, changelog.Target{TopicPartition: tp, TopicID: r.pos.Topic, From: r.from, Until: r.until()})
			last++
		}
		targets[last].From = min(targets[last].From, r.from)
	}
	return targets
}

// apply takes what is new in a changelog into its stores.
func (rs replays) apply(b changelog.Batch) error {
	for _, r := range rs[b.TopicPartition] {
		if err := r.apply(b); err != nil {
			return err
		}
	}
	return nil
}

// replay brings the stores of a task up to the ends of their changelogs.
func (in *Instance) replay(s *slot, reader replayer, starts map[kafka.TopicPartition]start) error {
	rs, err := in.replays(s, starts)
	if err != nil || len(rs) == 0 {
		return err
	}
	for attempt := 0; ; attempt++ {
		err := in.replayOnce(s, reader, rs)
		tp, lost := lostGround(err)
		if !lost || attempt > 3 {
			return err
		}
		in.log.Info("local state is not used", "changelog", tp, "why", err)
		for _, r := range rs[tp] {
			if err := r.startOver(); err != nil {
				return err
			}
		}
	}
}

// replays finds out what to replay.
func (in *Instance) replays(s *slot, starts map[kafka.TopicPartition]start) (replays, error) {
	rs := replays{}
	var tps []kafka.TopicPartition
	for i, spec := range s.sub.Stores {
		topic, own, ok := spec.Changelog(in.cfg.App)
		tp := kafka.TopicPartition{Topic: topic, Partition: s.task.Partition}
		if _, reads := starts[tp]; !ok || !own && !reads {
			continue
		}
		tps = append(tps, tp)
		rs[tp] = append(rs[tp], &replay{in: in, slot: s, store: s.stores[i], changelog: tp, own: own, spec: spec})
	}
	if len(tps) == 0 {
		return nil, nil
	}
	asked := time.Now()
	begins, ends, err := in.logs.Bounds(s.ctx, changelog.End, tps)
	if err != nil {
		return nil, fmt.Errorf("changelog starts and ends: %w", err)
	}
	for tp, r := range rs.all() {
		r.begin, r.end = begins[tp], ends[tp]
		for _, st := range starts {
			r.hasOffsets = r.hasOffsets || st.committed
		}
		if !r.own { // as far as the task has read it: the table must not be ahead of what it is joined with
			r.end = max(starts[tp].offset, r.begin)
		}
		r.tide = tide{r.end, asked}
	}
	return rs, nil
}

func (in *Instance) replayOnce(s *slot, reader replayer, rs replays) error {
	for _, r := range rs.all() {
		if err := r.start(); err != nil {
			return err
		}
		in.restoring.add(r)
		defer in.restoring.remove(r)
	}
	if err := reader.Run(s.ctx, rs.targets(), rs.apply); err != nil {
		return err
	}
	for _, r := range rs.all() {
		if err := r.intake.Unread(); err != nil {
			return err
		}
		in.log.Info("restored store", "store", r.store.Namespace().Store, "partition", r.changelog.Partition,
			"from", r.from, "to", r.pos.Offset, "records", r.records, "took", time.Since(r.began).Round(time.Millisecond))
	}
	return nil
}

// lostGround reports whether the changelog does not hold what a replay was to go on
// from: then it starts over.
func lostGround(err error) (tp kafka.TopicPartition, ok bool) {
	if e, ok := errors.AsType[*changelog.OutOfRangeError](err); ok {
		return e.TopicPartition, true
	}
	if e, ok := errors.AsType[*changelog.TruncatedError](err); ok {
		return e.TopicPartition, true
	}
	return tp, false
}

// start decides where to replay from, and throws away local state that cannot be
// trusted.
func (r *replay) start() (err error) {
	r.began, r.records = time.Now(), 0
	id := r.in.topics[r.changelog.Topic].ID
	why := r.distrust(id)
	if why != "" {
		r.in.log.Info("local state is not used", "changelog", r.changelog, "why", why)
	}
	if _, ok := r.store.Position(); !ok || why != "" { // without a position nothing is known of what is there
		if err := r.store.Wipe(); err != nil {
			return err
		}
	}
	r.from, r.pos = r.begin, engine.Position{Topic: id, Time: r.tide.at.UnixMilli()}
	if p, ok := r.store.Position(); ok { // it is as old as it was, until the replay has come to the end
		r.from, r.pos.Time = p.Offset, p.Time
	}
	r.next, r.pos.Offset = r.from, r.from
	if r.restorer, err = state.NewRestorer(r.store); err != nil {
		return err
	}
	r.restorer.Own = !r.own
	r.waits, r.gathers, r.written, r.loose = 0, cmp.Or(r.gathers, restoreBytes), r.began, false
	r.intake = r.spec.Intake(r.in.cfg.App, r.slot.task.String(), r.changelog.Partition, r.in.cfg.Policies)
	return nil
}

// until is how far to read the changelog.
func (r *replay) until() int64 {
	if r.follows && r.own {
		return changelog.Forever
	}
	return r.end
}

// startOver throws local state away and asks anew where the changelog begins.
func (r *replay) startOver() error {
	asked := time.Now()
	begins, ends, err := r.in.logs.Bounds(r.slot.ctx, changelog.End, []kafka.TopicPartition{r.changelog})
	if err != nil {
		return err
	}
	r.begin = begins[r.changelog]
	if r.own { // a log that was truncated ends earlier than it did
		r.end = ends[r.changelog]
	}
	r.end = max(r.end, r.begin)
	r.tide = tide{r.end, asked}
	return r.store.Wipe()
}

// distrust returns why local state is not to be used; "" if it is.
func (r *replay) distrust(id [16]byte) string {
	p, ok := r.store.Position()
	age := time.Since(time.UnixMilli(p.Time))
	switch {
	case !ok:
		return ""
	case !r.hasOffsets && !r.follows:
		return "the group has no committed offsets"
	case p.Topic != id:
		return "the changelog topic was created anew"
	case p.Offset > r.end:
		return fmt.Sprintf("it is at %d, beyond the changelog's end, %d", p.Offset, r.end)
	case p.Offset < r.begin:
		return fmt.Sprintf("it is at %d, below the changelog's start, %d", p.Offset, r.begin)
	case age > r.in.tombstones[r.changelog.Topic] && p.Offset < r.end:
		return fmt.Sprintf("it is %v old: the changelog may have dropped deletions since", age.Round(time.Minute))
	}
	return ""
}

// apply takes what is new in the changelog into the store.
func (r *replay) apply(b changelog.Batch) error {
	if r.own && !r.hasOffsets && !r.follows && len(b.Records) > 0 {
		return r.lostOffsets()
	}
	bytes, err := r.takeAll(b)
	if err != nil {
		return err
	}
	r.records += len(b.Records)
	r.next = max(b.Next, r.from)
	r.pos.Offset, r.loose = r.intake.Upto(r.next), true
	if r.follows && r.own { // of a source it is where the task has come to
		r.end, r.pos.Time = b.End, r.tide.follow(r.next, b.End, r.pos.Time)
	} else {
		r.pos.Time = r.tide.reached(r.next, r.pos.Time)
	}
	if !r.follows {
		r.in.restoring.advance(r, len(b.Records), bytes)
	}
	if r.waits < r.gathers && r.mayWait(b) {
		return nil
	}
	return r.write(!r.follows || r.end-b.Next > r.in.cfg.Replicas.AcceptableLag)
}

// takeAll takes the records of a batch, and returns how large they are.
func (r *replay) takeAll(b changelog.Batch) (bytes int, err error) {
	place := r.intake.Place
	place.Topic = b.Topic
	for rec := range r.in.pulses.each(place, b) {
		bytes += len(rec.Key) + len(rec.Value)
		if rec.Key == nil || rec.Offset < r.from {
			continue // a table drops the former; the store has the latter
		}
		if err := r.take(rec); err != nil {
			return bytes, err
		}
		r.waits += len(rec.Key) + len(rec.Value)
	}
	return bytes, nil
}

// mayWait says whether what was applied of b and before it may be written later.
func (r *replay) mayWait(b changelog.Batch) bool {
	if r.follows {
		return time.Since(r.written) < followInterval
	}
	return b.Next < r.end
}

// take takes a record into the store, as processing would if others have written it.
func (r *replay) take(rec changelog.Record) error {
	row := task.Row{Key: rec.Key, Value: rec.Value, Time: rec.Time}
	if !r.own {
		r.message = messageOf(rec)
		var err error
		if row, err = r.intake.Take(&r.message); err != nil || row.Key == nil {
			return err
		}
	}
	if err := r.restorer.Apply(row.Key, row.Value, row.Time); err != nil {
		return fmt.Errorf("%s@%d: %w", r.changelog, rec.Offset, err)
	}
	return nil
}

// What is to be written is gathered: an engine takes much at once faster than a little at
// a time, and each write of a copy that stands by, which gets its records as they are
// written to the log, costs a durable engine a sync.
const (
	restoreBytes   = 1 << 20
	followBytes    = 4 << 20
	followInterval = time.Second
)

// write hands what was applied to the engine. What is written loosely a crash may lose:
// that of a restore, or of a copy that still lacks much, which the engine takes faster. So
// it takes the last of what was lacking, too, if that is much, and the position alone, after
// it, makes it stay. Not what comes later: tasks that run would wait for each of these.
func (r *replay) write(loosely bool) error {
	last := !loosely && !r.keepsUp && r.waits >= restoreBytes
	r.waits, r.written, r.keepsUp, r.restorer.Loose = 0, time.Now(), !loosely, loosely || last
	if err := r.restorer.Write(r.pos); err != nil {
		return err
	}
	if r.loose = loosely; !last {
		return nil
	}
	r.restorer.Loose = false
	return r.restorer.Write(r.pos)
}

// settle makes what was taken stay, if anything was since that was done last.
func (r *replay) settle() error {
	if !r.loose {
		return nil
	}
	return r.write(false)
}

// lostOffsets is the error of a task that has state but no offsets: to begin at
// either end of its inputs would count records twice, or lose them.
func (r *replay) lostOffsets() error {
	app := r.in.cfg.App
	return fmt.Errorf("group %q has %w for partition %d of %v, but %s holds state: the offsets have expired or were deleted. "+
		"Either set the group's offsets to where the state was true, or reset %q, and it starts from nothing",
		app, errLostOffsets, r.changelog.Partition, r.slot.sub.Topics, r.changelog, app)
}

var errLostOffsets = errors.New("no committed offsets")
