// Package registry gives a test a real schema registry: Apicurio, with Confluent's interface, as a plain process. It
// knows nothing of leat.
package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// readyTimeout is long because the first start fetches the registry; it takes 20 s on an idle machine.
const readyTimeout = 4 * time.Minute

// Start starts a registry that keeps its schemas in the Kafka at seeds, and returns its address when it answers. It
// ends with the test. On a machine that can run none the test is skipped.
func Start(t testing.TB, seeds []string) (url string) {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("kafka", "registry.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(script).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: real registry: %s", bytes.TrimSpace(out))
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(script, fmt.Sprint(port), strings.Join(seeds, ","))
	cmd.Stdout, cmd.Stderr, cmd.Env = &log, &log, os.Environ()
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with the process, which the cleanup kills
		defer close(done)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-done
	})
	url = fmt.Sprintf("http://127.0.0.1:%d/apis/ccompat/v7", port)
	if err := await(t.Context(), url+"/subjects", done); err != nil {
		cmd.Process.Kill()
		<-done
		t.Fatalf("registry: %v\n%s", err, log.Bytes())
	}
	return url
}

// await returns when the address answers.
func await(ctx context.Context, url string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, errors.New("it is not ready"))
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
