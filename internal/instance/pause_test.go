package instance

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
)

// A pause commits what is done, keeps the tasks, and processes nothing until it is over:
// of one partition, or of the whole process.
func TestPause(t *testing.T) {
	for name, at := range map[string][]kafka.TopicPartition{"partition": {{Topic: "lines", Partition: 0}}, "process": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, "lines", "copy")
				cfg := w.config(copyPlan(t, copyIn, func(_, _ string) {}))
				m := newMeter(t, &cfg)
				in, stop := w.start(cfg)
				cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
				send := func(text string) {
					for i := range int32(2) {
						w.send(cl, i, fmt.Sprint(text, i))
					}
				}
				send("before")
				time.Sleep(10 * time.Second)
				if err := in.Pause(true, at...); err != nil {
					t.Fatal(err)
				}
				send("during")
				time.Sleep(time.Minute) // longer than the session
				want, whole := "before before during", 0.
				if at == nil {
					want, whole = "before before", 1
				}
				m.expect(map[string]float64{"leat.paused": whole})
				got := values(w.read("copy", len(strings.Fields(want))))
				if n := strings.Count(got, "during"); n != strings.Count(want, "during") || strings.Contains(got, "during0") || len(in.Status().Running) != 2 {
					t.Errorf("while paused: %q", got)
				}
				if err := in.Pause(false, at...); err != nil {
					t.Fatal(err)
				}
				m.expect(map[string]float64{"leat.paused": 0})
				if got := values(w.read("copy", 4)); strings.Count(got, "during") != 2 || strings.Count(got, "before") != 2 {
					t.Errorf("after the pause: %q", got)
				}
				if err := in.Pause(true, kafka.TopicPartition{Topic: "line"}); err == nil {
					t.Error("a topic that nobody reads can be paused")
				}
				cl.Close()
				stop()
			})
		})
	}
}
