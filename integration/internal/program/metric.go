package program

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Metric asks the process for a metric. The name has all the labels, as in leat_tasks{state="running"}.
func (p *Process) Metric(ctx context.Context, name string) (float64, error) {
	served, err := p.Await(ctx, "HTTP is served", 1)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+served[0].Text("address")+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// AwaitMetric waits until a metric has a value that will do, and returns when that was seen.
func (p *Process) AwaitMetric(ctx context.Context, name string, will func(float64) bool) (time.Time, error) {
	for {
		v, err := p.Metric(ctx, name)
		if err == nil && will(v) {
			return time.Now(), nil
		}
		select {
		case <-p.done:
			return time.Time{}, fmt.Errorf("wait for %s: %w", name, p.end())
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("wait for %s, which is %v: %w", name, v, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// AtWork waits until the process has committed something, and returns when that was seen.
func (p *Process) AtWork(ctx context.Context) (time.Time, error) {
	return p.AwaitMetric(ctx, "leat_commits_total", func(n float64) bool { return n > 0 })
}
