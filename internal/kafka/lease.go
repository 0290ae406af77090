package kafka

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// A Lease is a process's right to write, for as long as its group is known to count on
// it, where no transaction is there to fence it. It lapses by itself, with the clock, and
// holds again once it is extended. When it ends it is over for good: what the process
// owned is others'.
//
// It is a fence on this side of the network. A process that was stopped for longer than
// its session finds the lease lapsed when it wakes, before it has sent anything, and
// sends nothing until the group has answered. What had left it before it was stopped is
// out of its hands. Its methods may be called from any goroutine.
type Lease struct {
	ctx context.Context
	end context.CancelCauseFunc

	mu struct {
		sync.Mutex
		until   time.Time
		changed chan struct{} // closed when the lease is extended, and made anew
	}
}

// ErrLease is the cause of the end of a lease.
var ErrLease = errors.New("the group has gone on without this process")

// NewLease returns one that has lapsed.
func NewLease() *Lease {
	l := &Lease{}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	l.mu.changed = make(chan struct{})
	return l
}

// Extend lets the lease hold until then, if it does not hold for longer.
func (l *Lease) Extend(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !until.After(l.mu.until) {
		return
	}
	l.mu.until = until
	close(l.mu.changed)
	l.mu.changed = make(chan struct{})
}

// End ends the lease.
func (l *Lease) End() { l.end(ErrLease) }

// Context ends with the lease, because of ErrLease.
func (l *Lease) Context() context.Context { return l.ctx }

// Holds reports whether it may be written now.
func (l *Lease) Holds() bool {
	ok, _ := l.holds(time.Now())
	return ok && l.ctx.Err() == nil
}

// holds reports whether the lease holds, and what will be closed when it is extended. Both
// clocks have to agree: the monotonic one stands still while the machine sleeps, the
// other one may be set.
func (l *Lease) holds(now time.Time) (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Before(l.mu.until) && now.Round(0).Before(l.mu.until.Round(0)), l.mu.changed
}

// A DialFunc opens a connection to a broker.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns dial with connections that write only while the lease holds: a Write
// waits while it has lapsed, and fails once it has ended.
func (l *Lease) Dialer(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &leased{Conn: conn, lease: l, closed: make(chan struct{}), moved: make(chan struct{}, 1)}, nil
	}
}

// A leased connection is one under a lease.
type leased struct {
	net.Conn
	lease  *Lease
	once   sync.Once
	closed chan struct{}

	moved    chan struct{} // filled when there is another deadline
	mu       sync.Mutex
	deadline time.Time // of writes
}

// portion is how much is written at once. What waits for room in the socket's buffer is
// not looked at any more: it is sent when a process that was stopped there wakes.
const portion = 64 << 10

func (c *leased) Write(b []byte) (n int, err error) {
	for {
		if err := c.await(); err != nil {
			return n, err
		}
		some := b[n:min(n+portion, len(b))]
		k, err := c.Conn.Write(some)
		if n += k; err != nil || n == len(b) {
			return n, err
		}
	}
}

// await returns once the lease holds. It does not wait beyond the deadline of writes, nor
// for a connection that is closed.
func (c *leased) await() error {
	for {
		if c.lease.ctx.Err() != nil {
			return ErrLease
		}
		ok, changed := c.lease.holds(time.Now())
		if ok {
			return nil
		}
		if err := c.wait(changed); err != nil {
			return err
		}
	}
}

func (c *leased) wait(changed <-chan struct{}) error {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-changed:
	case <-c.lease.ctx.Done():
	case <-c.moved:
	case <-c.closed:
		return net.ErrClosed
	case <-late:
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *leased) setDeadline(t time.Time) {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	select {
	case c.moved <- struct{}{}:
	default:
	}
}

// SetWriteDeadline implements net.Conn.
func (c *leased) SetWriteDeadline(t time.Time) error {
	c.setDeadline(t)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *leased) SetDeadline(t time.Time) error {
	c.setDeadline(t)
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn.
func (c *leased) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
