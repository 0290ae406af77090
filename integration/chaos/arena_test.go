package chaos

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/leatstream/leat/integration/cluster"
	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/integration/internal/proxy"
)

const (
	brokers = 3
	service = "../internal/quartet" // where its source is
	disk    = "size=48m"            // what is filled up
	large   = "size=512m"           // in a soak, which lasts
)

// An arena is what trials share: brokers behind proxies, a program, and a small disk.
type arena struct {
	cluster *cluster.Cluster
	proxies []*proxy.Proxy
	binary  string
	small   string // the folder of the disk that may be filled; empty: there is none, because of
	noSmall error
}

func newArena(t *testing.T) *arena {
	t.Helper()
	a := &arena{binary: program.Build(t, service)}
	var addresses []string
	for range brokers {
		p, err := proxy.Listen()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		a.proxies = append(a.proxies, p)
		addresses = append(addresses, p.Addr())
	}
	a.cluster = cluster.Start(t, cluster.Options{Brokers: brokers, Proxies: addresses})
	for i, p := range a.proxies {
		p.Forward(a.cluster.Behind[i])
	}
	a.mount(t)
	return a
}

// mount makes the small disk, where that is allowed.
func (a *arena) mount(t *testing.T) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	size := disk
	if *soak {
		size = large
	}
	if a.noSmall = mountMemory(dir, size); a.noSmall != nil {
		t.Logf("SKIPPED full disks: cannot mount a tmpfs: %v", a.noSmall)
		return
	}
	a.small = dir
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// fill fills the small disk up, until the returned function is called.
func (a *arena) fill() (empty func() error, err error) {
	name := filepath.Join(a.small, "ballast")
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zeros := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(zeros)
	}
	if !isFull(err) {
		return nil, err
	}
	return func() error { return os.Remove(name) }, nil
}

func isFull(err error) bool {
	pathErr, ok := err.(*os.PathError)
	return ok && pathErr.Err == syscall.ENOSPC
}
