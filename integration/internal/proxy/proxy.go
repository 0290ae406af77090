// Package proxy passes TCP connections on, and cuts, refuses and delays them. It knows nothing of what they carry.
package proxy

import (
	"errors"
	"net"
	"sync"
	"time"
)

// A Proxy listens at one address and connects to another. Its methods may be called from any goroutine.
type Proxy struct {
	listener net.Listener

	mu struct {
		sync.Mutex
		target  string
		refuses bool
		delay   time.Duration
		links   map[*link]struct{}
		closed  bool
	}
	running sync.WaitGroup
}

// A link is a connection that is passed on.
type link struct{ client, server net.Conn }

func (l *link) close() {
	l.client.Close()
	l.server.Close()
}

// Listen returns a proxy that listens on this machine. It refuses connections until it is told where to connect to, and
// must be closed.
func Listen() (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l}
	p.mu.links = make(map[*link]struct{})
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Forward makes new connections go to target.
func (p *Proxy) Forward(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.target = target
}

// Cut ends all connections, and returns how many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.mu.links)
	for l := range p.mu.links {
		l.close()
	}
	clear(p.mu.links)
	return n
}

// Refuse makes the proxy close new connections at once, or accept them again.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.refuses = refuse
}

// Delay makes everything arrive later by d, in both directions. It keeps its order.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.delay = d
}

// Close ends all connections, and returns when nothing of the proxy runs.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.mu.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.running.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.running.Go(func() { p.pass(client) })
		}
	}
}

// pass serves a connection until one of its sides ends it, or the proxy does.
func (p *Proxy) pass(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	target, refuses := p.mu.target, p.mu.refuses || p.mu.closed
	p.mu.Unlock()
	if refuses || target == "" {
		return
	}
	server, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		return
	}
	l := &link{client, server}
	if !p.add(l) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client); l.close() })
	both.Go(func() { p.copy(client, server); l.close() })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.links, l)
}

// add notes a link, so that it can be cut; it is closed if that has happened already.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.refuses || p.mu.closed {
		l.close()
		return false
	}
	p.mu.links[l] = struct{}{}
	return true
}

// A chunk is what was read at once, and when it may be passed on.
type chunk struct {
	bytes []byte
	due   time.Time
}

const (
	chunkBytes = 32 << 10
	inFlight   = 64 // chunks of a direction of a link
)

func (p *Proxy) copy(to, from net.Conn) {
	chunks := make(chan chunk, inFlight)
	var writer sync.WaitGroup
	writer.Go(func() {
		broken := false
		for c := range chunks {
			time.Sleep(time.Until(c.due))
			if !broken {
				_, err := to.Write(c.bytes)
				broken = err != nil
			}
		}
	})
	for {
		buf := make([]byte, chunkBytes)
		n, err := from.Read(buf)
		if n > 0 {
			chunks <- chunk{buf[:n], time.Now().Add(p.lateness())}
		}
		if err != nil {
			break
		}
	}
	close(chunks)
	writer.Wait()
}

func (p *Proxy) lateness() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.delay
}
