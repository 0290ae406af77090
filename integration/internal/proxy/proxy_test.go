package proxy_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/internal/proxy"
)

// echo returns a proxy to a server that sends back what it gets.
func echo(t *testing.T) *proxy.Proxy {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() { // ends with the server
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	p, err := proxy.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	p.Forward(server.Addr().String())
	return p
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// exchange sends a byte and waits for its echo.
func exchange(c net.Conn) error {
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

func TestPassesOn(t *testing.T) {
	t.Parallel()
	c := dial(t, echo(t))
	sent := make([]byte, 4<<20)
	rand.Read(sent)
	go c.Write(sent)
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Error("what came back is not what was sent:", err)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	p := echo(t)
	c := dial(t, p)
	if err := exchange(c); err != nil {
		t.Fatal(err)
	}
	p.Refuse(true)
	if n := p.Cut(); n != 1 {
		t.Errorf("%d connections were cut", n)
	}
	if exchange(c) == nil {
		t.Error("a connection that was cut carries on")
	}
	if exchange(dial(t, p)) == nil {
		t.Error("a proxy that refuses connections passes one on")
	}
	p.Refuse(false)
	if err := exchange(dial(t, p)); err != nil {
		t.Error(err)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	p := echo(t)
	c := dial(t, p)
	const delay = 50 * time.Millisecond
	p.Delay(delay)
	start := time.Now()
	if err := exchange(c); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*delay {
		t.Errorf("there and back took %v", took)
	}
	p.Delay(0)
	if err := exchange(c); err != nil {
		t.Error(err)
	}
}
