package kafka

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A wire is a connection under a lease, and what comes out at its other end.
type wire struct {
	conn  net.Conn
	other net.Conn
	out   bytes.Buffer
	wrote chan error
}

func underLease(t *testing.T, l *Lease) *wire {
	t.Helper()
	w := &wire{wrote: make(chan error, 1)}
	var near net.Conn
	near, w.other = net.Pipe()
	dial := l.Dialer(func(context.Context, string, string) (net.Conn, error) { return near, nil })
	var err error
	if w.conn, err = dial(context.Background(), "tcp", "broker:9092"); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(&w.out, w.other) }()
	t.Cleanup(func() { _ = w.conn.Close(); _ = w.other.Close() })
	return w
}

// write writes in the background, and reports what has come of it when nothing moves.
func (w *wire) write(b []byte) (done bool, err error) {
	go func() {
		n, err := w.conn.Write(b)
		if err == nil && n != len(b) {
			err = io.ErrShortWrite
		}
		w.wrote <- err
	}()
	return w.look()
}

func (w *wire) look() (done bool, err error) {
	synctest.Wait()
	select {
	case err := <-w.wrote:
		return true, err
	default:
		return false, nil
	}
}

func TestLeaseHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLease()
		w := underLease(t, l)
		if done, _ := w.write([]byte("before it is known")); done || w.out.Len() > 0 {
			t.Error("was written without a lease")
		}
		l.Extend(time.Now().Add(10 * time.Second))
		if done, err := w.look(); !done || err != nil {
			t.Errorf("held: %v, %v", done, err)
		}
		time.Sleep(9 * time.Second)
		if done, err := w.write(make([]byte, 3*portion+1)); !done || err != nil {
			t.Errorf("still held: %v, %v", done, err)
		}
		l.Extend(time.Now()) // does not shorten it
		time.Sleep(999 * time.Millisecond)
		if done, err := w.write([]byte{1}); !done || err != nil {
			t.Errorf("to the end: %v, %v", done, err)
		}
		sent := w.out.Len()
		time.Sleep(time.Millisecond)
		if done, _ := w.write([]byte("zombie")); done || w.out.Len() != sent {
			t.Error("was written after the lease had lapsed")
		}
		l.End()
		if done, err := w.look(); !done || !errors.Is(err, ErrLease) || w.out.Len() != sent {
			t.Errorf("ended: %v, %v", done, err)
		}
		l.Extend(time.Now().Add(time.Hour))
		if _, err := w.write([]byte("zombie")); !errors.Is(err, ErrLease) || w.out.Len() != sent {
			t.Errorf("what has ended was extended: %v", err)
		}
	})
}

// What waits for a lease waits no longer than its client does.
func TestLeaseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := underLease(t, NewLease())
		_ = w.conn.SetWriteDeadline(time.Now().Add(time.Second))
		if done, _ := w.write([]byte{1}); done {
			t.Error("was written without a lease")
		}
		time.Sleep(2 * time.Second)
		if done, err := w.look(); !done || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after its deadline: %v, %v", done, err)
		}
		_ = w.conn.SetDeadline(time.Time{})
		if done, _ := w.write([]byte{1}); done {
			t.Error("was written without a lease")
		}
		_ = w.conn.SetWriteDeadline(time.Now()) // as a client does that has no use for it any more
		if done, err := w.look(); !done || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("with a deadline of now: %v, %v", done, err)
		}
		_ = w.conn.SetDeadline(time.Time{})
		w.write([]byte{1})
		_ = w.conn.Close()
		if done, err := w.look(); !done || !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v, %v", done, err)
		}
	})
}

// A wall clock that has gone further than the other one shows that the machine slept.
func TestLeaseOfSleeper(t *testing.T) {
	t.Parallel()
	l, now := NewLease(), time.Now()
	l.Extend(now.Add(10 * time.Second))
	for _, c := range []struct {
		name string
		now  time.Time
		want bool
	}{
		{"soon", now.Add(9 * time.Second), true},
		{"late", now.Add(11 * time.Second), false},
		{"by the wall clock", now.Round(0).Add(11 * time.Second), false},
	} {
		if got, _ := l.holds(c.now); got != c.want {
			t.Errorf("%s: holds %v", c.name, got)
		}
	}
}
