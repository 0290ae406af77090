package streams_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/streams"
)

// Every fault is reported with its field and its value, and all at once.
func TestValidate(t *testing.T) {
	t.Parallel()
	good := streams.Config{Application: "app", Brokers: []string{"localhost:9092"}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	all, wants := good, []string{}
	for want, spoil := range map[string]func(*streams.Config){
		"MaxRecordBytes -1:":                 func(c *streams.Config) { c.MaxRecordBytes = -1 },
		"ShutdownTimeout -1s:":               func(c *streams.Config) { c.ShutdownTimeout = -time.Second },
		"State.FlushInterval -1s:":           func(c *streams.Config) { c.State.FlushInterval = -time.Second },
		"State.FlushBytes -7:":               func(c *streams.Config) { c.State.FlushBytes = -7 },
		"Membership.SessionTimeout -1s:":     func(c *streams.Config) { c.Membership.SessionTimeout = -time.Second },
		"Membership.RebalanceTimeout -1m0s:": func(c *streams.Config) { c.Membership.RebalanceTimeout = -time.Minute },
		"Guarantee 2:":                       func(c *streams.Config) { c.Guarantee = 2 },
		"Failures.Decode -1:":                func(c *streams.Config) { c.Failures.Decode = -1 },
		"Failures.Process 3:":                func(c *streams.Config) { c.Failures.Process = 3 },
		"Failures.Produce 4:":                func(c *streams.Config) { c.Failures.Produce = 4 },
	} {
		c := good
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "streams: "+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %v", want, err)
		}
		spoil(&all)
		wants = append(wants, want)
	}
	err := errors.Join(all.Validate()).Error()
	for _, want := range wants {
		if !strings.Contains(err, "streams: "+want) {
			t.Errorf("no %s in\n%s", want, err)
		}
	}
}
