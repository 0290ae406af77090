package task

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A record whose code returns an error is tried again when its back-off is over, as if
// nothing had been done before; the policy answers once the tries are used up.
func TestRetry(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails int
		drops Drops
		out   []string
	}{
		"the last try succeeds": {2, Drops{}, []string{"out:own@7", "timer:stream@7"}},
		"no try succeeds":       {3, Drops{DropProcess: 1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			x := newFixture(t, Env{Policies: Policies{Process: Skip, Retry: Retry{Times: 2, Backoff: 100, Max: 150}}})
			tries := 0
			x.own = func(m *Message) error {
				x.store.Put([]byte("kept"), []byte("1"), 0)
				if err := x.t.Send(Output{Topic: "out", Key: m.Key, Time: m.Time}); err != nil {
					return err
				}
				if tries++; tries <= c.fails {
					return errUser
				}
				return nil
			}
			if err := x.put("own", 7); err != nil {
				t.Fatal(err)
			}
			for _, wait := range []int64{100, 150} {
				if ready, wake := x.t.Ready(x.t.WallClock()); ready || wake != x.t.WallClock()+wait {
					t.Errorf("ready: %v, to be asked at %d", ready, wake)
				}
				if v, _, _, _ := x.store.Get([]byte("kept")); string(v) != "0" || x.t.Queued(0) != 1 {
					t.Errorf("state is %q and %d records wait", v, x.t.Queued(0))
				}
				if err := x.t.AdvanceWallClock(x.t.WallClock() + wait); err != nil {
					t.Fatal(err)
				}
				if _, err := x.t.Process(); err != nil {
					t.Fatal(err)
				}
			}
			x.take()
			out := slices.DeleteFunc(x.out, func(o string) bool { return strings.HasPrefix(o, "timer:wall") })
			if drops := x.t.TakeDrops(); drops != c.drops || !slices.Equal(out, c.out) || tries != 3 {
				t.Errorf("after %d tries: dropped %v, wrote %q", tries, drops, out)
			}
			if n := x.t.TakeRetries(); n != 2 || x.t.Queued(0) != 0 || x.t.Points()[0].Offset != 1 {
				t.Errorf("%d retries, %d wait, at %v", n, x.t.Queued(0), x.t.Points())
			}
		})
	}
}

// What cannot be otherwise the next time is not tried again.
func TestNoRetryOfWhatLasts(t *testing.T) {
	t.Parallel()
	x := newFixture(t, Env{Policies: Policies{Process: Skip, Decode: Skip, Retry: Retry{Times: 5, Backoff: 100}}})
	for _, own := range []func(*Message) error{
		func(*Message) error { panic("oh") },
		func(*Message) error { return ErrDecode },
		func(*Message) error { return ErrTooLarge },
	} {
		x.own = own
		if err := x.put("own", 1); err != nil {
			t.Fatal(err)
		}
	}
	if drops := x.t.TakeDrops(); drops != (Drops{DropProcess: 2, DropDecode: 1}) || x.t.TakeRetries() != 0 {
		t.Errorf("dropped %v", drops)
	}
}

// A timer that fails leaves nothing and fires again, if the policy is not to fail.
func TestTimerUnderPolicy(t *testing.T) {
	t.Parallel()
	for _, policy := range []Policy{Fail, Skip, DeadLetter} {
		x := newFixture(t, Env{Policies: Policies{Process: policy, DeadLetterTopic: "dead"}})
		fails := true
		x.t.Schedule("failing", WallClock, 1000, func(int64) error {
			x.store.Put([]byte("kept"), []byte("1"), 0)
			if err := x.t.Send(Output{Topic: "failing"}); err != nil || !fails {
				return err
			}
			return errUser
		})
		err := x.t.AdvanceWallClock(1000)
		if policy == Fail {
			if !errors.Is(err, errUser) {
				t.Errorf("the timer's error is %v", err)
			}
			continue
		}
		if v, _, _, _ := x.store.Get([]byte("kept")); err != nil || string(v) != "0" {
			t.Errorf("%v: state is %q, %v", policy, v, err)
		}
		fails = false
		if err := x.t.AdvanceWallClock(2000); err != nil {
			t.Fatal(err)
		}
		x.take()
		if n := len(slices.DeleteFunc(x.out, func(o string) bool { return !strings.HasPrefix(o, "failing") })); n != 1 || x.t.TakeDrops() != (Drops{DropProcess: 1}) {
			t.Errorf("%v: %d outputs of the timer", policy, n)
		}
	}
}

// A dead letter that would be too large goes without what can be spared.
func TestDeadLetterTooLarge(t *testing.T) {
	t.Parallel()
	for omitted, c := range map[string]struct{ message, value, header int }{
		"":                 {100, 100, 0},
		"stacktrace":       {5000, 100, 0},
		"stacktrace,value": {5000, 1500, 0},
		"nothing helps":    {5000, 100, 2000},
	} {
		x := newFixture(t, Env{MaxRecord: 2000, Policies: Policies{Process: DeadLetter, DeadLetterTopic: "dead"}})
		x.t.Feed(0, func(*Message) error { return errors.New(strings.Repeat("x", c.message)) })
		m := Message{Value: make([]byte, c.value), Headers: []Header{{"h", make([]byte, c.header)}}}
		x.t.Enqueue(0, []Message{m}, 1, 1)
		_, err := x.t.Process()
		if c.header > 0 {
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: %v", omitted, err)
			}
			continue
		}
		out := x.t.TakeOutput()
		if err != nil || len(out) == 0 {
			t.Fatalf("%s: wrote %v, %v", omitted, out, err)
		}
		got := ""
		for _, h := range out[0].Headers {
			if h.Key == headerOmitted {
				got = string(h.Value)
			}
		}
		if got != omitted || (out[0].Value == nil) != strings.HasSuffix(omitted, "value") {
			t.Errorf("%q is omitted, want %q; %d bytes of value", got, omitted, len(out[0].Value))
		}
	}
}

// A record whose results the brokers have refused fails before its code runs.
func TestRefused(t *testing.T) {
	t.Parallel()
	x := newFixture(t, Env{Policies: Policies{Produce: DeadLetter, DeadLetterTopic: "dead"}})
	x.t.Refuse(0, 1, &ProduceError{Topic: "out", Err: errUser})
	for _, value := range []string{"put", "send"} {
		if err := x.put(value, 50); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"timer:stream@50", "dead:send@50"}; !slices.Equal(x.out, want) || x.t.TakeDrops() != (Drops{DropDeadLetter: 1}) {
		t.Errorf("wrote %q, not %q", x.out, want)
	}
}
