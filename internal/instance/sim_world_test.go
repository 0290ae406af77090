package instance

import (
	"math/rand/v2"
	"slices"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/sim"
)

const (
	simApp  = "app"
	simIdle = 5 * time.Minute
)

// A history is what happens to one application, by a seed.
type history struct {
	seed   uint64
	faults int // at most; negative: as the seed has it
	inputs int // at most; negative: as the seed has it
}

// A simWorld is a simulated Kafka, and the processes of one application.
type simWorld struct {
	s        *sim.Sim
	topology *simTopology
	layout   *layout.Layout
	counts   map[string]int32
	topics   map[string]kafka.Topic
	places   []*simPlace
	inputs   []simInput // that are still to come

	partitions    int32
	workers       int
	standbys      int
	cache         int64
	flushInterval time.Duration
	flushBytes    int64
	patience      int // of those who kill processes
	weigh         *rand.Rand

	struck  int // faults
	retries int // transactions that came to nothing
}

// A simPlace is where a process runs: its name and its disk outlive it.
type simPlace struct {
	name    string
	lives   int
	disk    *simDisk
	process *simProcess // nil: there is none
	back    time.Time   // when there will be one
}

// weights are what somebody has measured, who is very much mistaken: tasks weigh something
// else each time, so that they move.
func (w *simWorld) weights() map[assign.Task]int64 {
	out := map[assign.Task]int64{}
	for _, sub := range w.layout.Subs {
		for i := range sub.Partitions {
			out[assign.Task{Sub: sub.ID, Partition: i}] = int64(1) << w.weigh.IntN(11)
		}
	}
	return out
}

// newWorld makes what the seed says.
func newSimWorld(h history, trace func(string, ...any)) *simWorld {
	r := rand.New(rand.NewPCG(h.seed, 1))
	w := &simWorld{partitions: 1 + r.Int32N(3), workers: 1 + r.IntN(2), topology: simTopologies()[r.IntN(len(simTopologies()))]}
	w.cache = []int64{1 << 20, 1 << 20, 0}[r.IntN(3)] // all or nothing: what is evicted first is left to chance
	w.flushInterval = []time.Duration{0, time.Second, 10 * time.Second}[r.IntN(3)]
	w.flushBytes = []int64{1 << 20, 100}[r.IntN(2)]
	processes := 1 + r.IntN(3)
	w.standbys = r.IntN(processes)
	faults, inputs := r.IntN(30), 3+r.IntN(40)
	frailty := []int{6, 25, 100}[r.IntN(3)]
	w.patience = []int{2, 8, 40}[r.IntN(3)]
	if h.faults >= 0 {
		faults = min(faults, h.faults)
	}
	w.weigh = rand.New(rand.NewPCG(h.seed, 2))
	w.s = sim.New(h.seed, faults)
	w.s.Frailty = frailty
	w.s.Trace, w.s.Settle, w.s.Extra, w.s.Moments = trace, synctest.Wait, w.choices, w.moments
	w.inputs = w.topology.inputs(r, inputs)
	for i := range w.inputs { // what comes first of two topics at one time is left to chance
		n := int64(len(w.topology.topics))
		w.inputs[i].Time += int64(slices.Index(w.topology.topics, w.inputs[i].Topic)) - w.inputs[i].Time%n
	}
	if h.inputs >= 0 {
		w.inputs = w.inputs[:min(len(w.inputs), h.inputs)]
	}
	w.create()
	for i := range processes {
		pl := &simPlace{name: string(rune('A' + i)), disk: newSimDisk(w)}
		w.places = append(w.places, pl)
	}
	w.s.Log("seed %d: topology %s, %d partitions, %d processes with %d workers, %d standbys, %d inputs, up to %d faults, cache %d, flush after %v or %d bytes",
		h.seed, w.topology.name, w.partitions, processes, w.workers, w.standbys, len(w.inputs), faults, w.cache, w.flushInterval, w.flushBytes)
	return w
}

func (w *simWorld) replicas() member.Replicas {
	return member.Replicas{Standbys: w.standbys, AcceptableLag: 3}
}

// create makes the topics.
func (w *simWorld) create() {
	w.counts, w.topics = map[string]int32{}, map[string]kafka.Topic{}
	for _, t := range w.topology.topics {
		w.counts[t] = w.partitions
	}
	l, err := layout.Resolve(w.topology.plan, simApp, w.counts)
	if err != nil {
		panic(err)
	}
	w.layout = l
	for _, t := range l.Internal {
		w.counts[t.Name] = t.Partitions
	}
	for name, n := range w.counts {
		w.s.Broker.Create(name, n)
		w.topics[name] = kafka.Topic{ID: [16]byte{1}, Partitions: n, Exists: true}
	}
}

func (w *simWorld) alive() (ps []*simProcess) {
	for _, pl := range w.places {
		if pl.process != nil {
			ps = append(ps, pl.process)
		}
	}
	return ps
}

// choices are what the world may do now: the next input, a start, a fault.
func (w *simWorld) choices(add func(weight int, do func())) {
	now := time.Now()
	if len(w.inputs) > 0 {
		add(2, w.input)
	}
	for _, pl := range w.places {
		switch p := pl.process; {
		case p == nil && !now.Before(pl.back):
			add(2, func() { w.startProcess(pl) })
		case p == nil:
		case p.host.Paused && !now.Before(p.wakes):
			add(1, func() {
				w.s.Log("%s wakes up", p.host.Name)
				p.host.Paused = false
			})
		case w.s.Faults > 0:
			add(p.vulnerable(), func() { w.upset(p) })
		}
		if p := pl.process; p != nil {
			for _, wk := range p.workers {
				wk.kafka.Choices(add)
			}
		}
	}
}

// moments are when processes come back.
func (w *simWorld) moments(sooner func(time.Time)) {
	for _, pl := range w.places {
		switch p := pl.process; {
		case p == nil:
			sooner(pl.back)
		case p.host.Paused:
			sooner(p.wakes)
		}
	}
}

// vulnerable is how likely a process is struck: rather in the middle of a transaction.
func (p *simProcess) vulnerable() int {
	for _, w := range p.workers {
		if p.w.s.Broker.Busy(w.kafka.ID) {
			return 8
		}
	}
	return 1
}

func (w *simWorld) input() {
	in := w.inputs[0]
	w.inputs = w.inputs[1:]
	w.s.Log("input %s[%d]: %s = %s at %d", in.Topic, in.Partition, in.Key, in.Value, in.Time)
	w.s.Broker.Append(w.s.Broker.Topic(in.Topic)[in.Partition%w.partitions], in.Output)
}

// upset does something to a process, if the seed wants it so.
func (w *simWorld) upset(p *simProcess) {
	if !w.s.Fault(w.patience) {
		return
	}
	switch w.s.Rand.IntN(7) {
	case 0, 1:
		w.s.Log("FAULT %s stops to run for a while", p.host.Name)
		p.host.Paused, p.wakes = true, time.Now().Add([]time.Duration{time.Second, 12 * time.Second, 35 * time.Second}[w.s.Rand.IntN(3)])
	case 2:
		if !p.stopping && len(p.workers) > 0 {
			w.s.Log("FAULT %s is asked to stop", p.host.Name)
			w.s.Go(p.host, "stop", p.leave)
		}
	default:
		w.s.Log("FAULT %s crashes", p.host.Name)
		w.crash(p)
	}
}

// crash ends a process without a word, and with what the disk had not made durable.
func (w *simWorld) crash(p *simProcess) {
	w.end(p)
	p.place.disk.crash(w.s.Rand)
}

func (w *simWorld) end(p *simProcess) {
	p.place.process = nil
	p.place.back = time.Now().Add([]time.Duration{0, 2 * time.Second, 20 * time.Second}[w.s.Rand.IntN(3)])
	p.in.cancel(errSimStopped)
	w.s.Kill(p.host)
	w.s.Log("%s is no more", p.host.Name)
}

// play lets the history happen, and checks what has come of it.
func (w *simWorld) play() error {
	defer w.s.Close()
	budget := w.s.Faults
	defer func() { w.struck = budget - w.s.Faults }()
	const steps = 60_000
	if err := w.s.Run(steps, w.quiet); err != nil {
		return err
	}
	if ps := w.alive(); len(ps) > 0 { // whatever has been: it is there after a restart, too
		w.s.Log("the last crash")
		w.crash(ps[w.s.Rand.IntN(len(ps))])
		if err := w.s.Run(steps, w.quiet); err != nil {
			return err
		}
	}
	w.s.Log("the end")
	return w.check()
}

// quiet reports whether everything has happened that has to.
func (w *simWorld) quiet() bool {
	if len(w.inputs) > 0 || w.s.Steps()%20 > 0 || !w.s.Broker.Quiet() {
		return false
	}
	running := 0
	for _, pl := range w.places {
		p := pl.process
		if p == nil || p.host.Paused || p.stopping {
			return false
		}
		for _, s := range p.slots {
			if s.run == nil || s.run.Task.Touched() {
				return false
			}
			running++
		}
		if slices.ContainsFunc(p.workers, func(wk *simWorker) bool { return !wk.kafka.Settled() }) {
			return false
		}
	}
	tasks := 0
	for _, sub := range w.layout.Subs {
		tasks += int(sub.Partitions)
		for _, topic := range sub.Topics {
			for i, part := range w.s.Broker.Topic(topic) {
				c, _ := w.s.Broker.Group.Committed(kafka.TopicPartition{Topic: topic, Partition: int32(i)})
				if c.Offset < part.End() {
					return false
				}
			}
		}
	}
	return running == tasks
}
