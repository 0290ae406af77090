package member

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
)

// A cluster is a broker under a virtual clock, and an observer of the group that
// lives in it. A bubble that ends with a goroutine left fails its test.
type cluster struct {
	t     *testing.T
	kafka *kfake.Cluster
	net   kfake.VirtualNetwork

	mu    sync.Mutex
	owner map[assign.Task]*process // from Assigned to the return of Revoked
	seen  map[kmsg.Key]int         // requests
	all   []*process
}

const (
	sessionTimeout = 10 * time.Second
	settled        = time.Minute // of virtual time, enough for every follow-up
)

// inCluster runs f with topics a and b of six partitions, which one stateful
// sub-topology reads together, and topic c of four, which a stateless one reads.
func inCluster(t *testing.T, f func(c *cluster)) {
	t.Helper()
	inClusterAt(t, f, 9092)
}

// inClusterAt is inCluster with a broker at each of the ports.
func inClusterAt(t *testing.T, f func(c *cluster), ports ...int) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, owner: map[assign.Task]*process{}, seen: map[kmsg.Key]int{}}
		var err error
		c.kafka, err = kfake.NewCluster(kfake.NumBrokers(len(ports)), kfake.Ports(ports...), kfake.ListenFn(c.net.Listen),
			kfake.SeedTopics(6, "a", "b"), kfake.SeedTopics(4, "c"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.kafka.Close()
		c.kafka.Control(c.observe)
		defer func() {
			for _, p := range c.all {
				p.Close()
			}
		}()
		f(c)
	})
}

func subs() []Sub {
	return []Sub{{ID: 0, Topics: []string{"a", "b"}, Stateful: true}, {ID: 1, Topics: []string{"c"}}}
}

// observe looks at what leaders assign: no partition twice, and a and b together.
func (c *cluster) observe(req kmsg.Request) (kmsg.Response, error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[kmsg.Key(req.Key())]++
	sync, ok := req.(*kmsg.SyncGroupRequest)
	if !ok {
		return nil, nil, false
	}
	taken := map[string]bool{}
	for _, a := range sync.GroupAssignment {
		var got kmsg.ConsumerMemberAssignment
		if err := got.ReadFrom(a.MemberAssignment); err != nil {
			c.t.Error(err)
		}
		of := map[string]string{}
		for _, topic := range got.Topics {
			of[topic.Topic] = fmt.Sprint(topic.Partitions)
			for _, p := range topic.Partitions {
				key := fmt.Sprint(topic.Topic, p)
				if taken[key] {
					c.t.Errorf("generation %d: %s is assigned twice", sync.Generation, key)
				}
				taken[key] = true
			}
		}
		if of["a"] != of["b"] && c.seen[kmsg.CreatePartitions] == 0 {
			c.t.Errorf("generation %d: inputs part: a %s, b %s", sync.Generation, of["a"], of["b"])
		}
	}
	return nil, nil, false
}

func (c *cluster) requests(key kmsg.Key) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[key]
}

func (c *cluster) client() *kgo.Client {
	cl, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(c.net.DialContext))
	if err != nil {
		c.t.Fatal(err)
	}
	return cl
}

// commit commits an offset of topic a as the given member.
func (c *cluster) commit(cl *kgo.Client, id Identity, partition int32, offset int64) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = "g", id.MemberID, id.Generation, id.InstanceID
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = "a", c.kafka.TopicInfo("a").TopicID
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(context.Background(), cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// A process is a member, its handler and its network.
type process struct {
	*Member
	c    *cluster
	name string
	line line

	closed     sync.Once
	onAssigned func([]assign.Task) // before Assigned returns
	onGone     func([]assign.Task) // before Revoked or Lost returns

	mu     sync.Mutex
	events []string
	failed []error
}

// start starts a process. It is a static member if its name ends in "!".
func (c *cluster) start(name string, change ...func(*process, *Config)) *process {
	c.t.Helper()
	p := &process{c: c, name: name}
	cfg := Config{
		Group: "g", Instance: strings.TrimSuffix(name, "!"), Static: strings.HasSuffix(name, "!"), Workers: 2,
		Fingerprint: "v1", Subs: subs(), SessionTimeout: sessionTimeout, RebalanceTimeout: 20 * time.Second, HeartbeatInterval: 3 * time.Second,
		Options: []kgo.Opt{kgo.SeedBrokers("localhost:9092"), kgo.Dialer(p.line.dial(&c.net)), kgo.MetadataMaxAge(30 * time.Second)},
	}
	for _, f := range change {
		f(p, &cfg)
	}
	var err error
	if p.Member, err = New(cfg); err != nil {
		c.t.Fatal(err)
	}
	if err := p.Join(p); err != nil {
		c.t.Fatal(err)
	}
	c.all = append(c.all, p)
	return p
}

// Close may be called twice: the bubble's end calls it of every process.
func (p *process) Close() { p.closed.Do(p.Member.Close) }

func fingerprint(v string) func(*process, *Config) {
	return func(_ *process, cfg *Config) { cfg.Fingerprint = v }
}

func (p *process) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, fmt.Sprintf(format, args...))
}

// take returns the events since the last call.
func (p *process) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := strings.Join(p.events, "; ")
	p.events = nil
	return out
}

func (p *process) Assigned(_ context.Context, tasks []assign.Task, departed []Fence) {
	p.c.mu.Lock()
	for _, task := range tasks {
		if o := p.c.owner[task]; o != nil {
			p.c.t.Errorf("%v is assigned to %s while %s has it", task, p.name, o.name)
		}
		p.c.owner[task] = p
	}
	p.c.mu.Unlock()
	p.note("assigned %v%s", tasks, suffix(departed))
	p.own(tasks, true)
	if p.onAssigned != nil {
		p.onAssigned(tasks)
	}
}

func (p *process) Follow(tasks, warming []assign.Task) {
	if len(tasks) > 0 {
		p.note("follow %v, %v warming", tasks, warming)
	}
}

func suffix(departed []Fence) string {
	if len(departed) == 0 {
		return ""
	}
	return fmt.Sprintf(" departed %v", departed)
}

func (p *process) Revoked(_ context.Context, tasks []assign.Task) {
	p.note("revoked %v", tasks)
	p.own(tasks, true)
	p.gone(tasks)
}

func (p *process) Lost(_ context.Context, tasks []assign.Task) {
	p.note("lost %v", tasks)
	p.own(tasks, false)
	p.gone(tasks)
}

// own checks whether the member still vouches for tasks.
func (p *process) own(tasks []assign.Task, want bool) {
	for _, task := range tasks {
		if _, ok := p.Claim(task); ok != want {
			p.c.t.Errorf("%s owns %v: %v", p.name, task, ok)
		}
	}
}

func (p *process) Failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, err)
}

func (p *process) failure(target error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.failed, func(err error) bool { return errors.Is(err, target) })
}

func (p *process) gone(tasks []assign.Task) {
	if p.onGone != nil {
		p.onGone(tasks)
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	for _, task := range tasks {
		if p.c.owner[task] == p {
			delete(p.c.owner, task)
		}
	}
}

// vanish takes the process off the network.
func (p *process) vanish() {
	p.line.cut()
	p.forget()
}

// forget makes what the process believes to own count no more.
func (p *process) forget() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	for task, owner := range p.c.owner {
		if owner == p {
			delete(p.c.owner, task)
		}
	}
}

// kill ends the process without a word to the broker.
func (p *process) kill() {
	p.vanish()
	p.Close()
}

// owns are the tasks that the member would vouch for.
func (p *process) owns() string {
	var out []assign.Task
	for sub, n := range []int32{6, 4} {
		for i := range n {
			task := assign.Task{Sub: sub, Partition: i}
			if claim, ok := p.Claim(task); ok {
				if _, err := p.Identity(claim); err == nil {
					out = append(out, task)
				}
			}
		}
	}
	return fmt.Sprint(out)
}

// A line is a network connection that can be cut.
type line struct {
	mu       sync.Mutex
	down     bool
	deserted string // the address at which connections are accepted and closed
	conns    []net.Conn
}

func (l *line) dial(n *kfake.VirtualNetwork) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if l.isDeserted(address) {
			conn, _ := net.Pipe()
			return nobody{conn}, nil
		}
		conn, err := n.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.down {
			conn.Close()
			return nil, errors.New("the line is cut")
		}
		l.conns = append(l.conns, conn)
		return ending{conn}, nil
	}
}

// desert breaks all connections, and leaves nobody behind an address.
func (l *line) desert(address string) {
	l.cut()
	l.mend()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deserted = address
}

func (l *line) isDeserted(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deserted == address
}

// A connection to nobody takes everything, and ends.
type nobody struct{ net.Conn }

func (nobody) Write(b []byte) (int, error) { return len(b), nil }
func (nobody) Read([]byte) (int, error)    { return 0, io.EOF }

// An ending connection ends, when it is cut, as one of a real network does.
type ending struct{ net.Conn }

func (e ending) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = io.EOF
	}
	return n, err
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, conn := range l.conns {
		conn.Close()
	}
	l.conns = nil
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}
