package layout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/task"
)

func source(name string, group int) task.Source {
	return task.Source{Topic: task.Topic{Name: name}, Group: group}
}

func repartition(name string, group int, partitions int32) task.Source {
	return task.Source{Topic: task.Topic{Name: name + "-repartition", Internal: true}, Group: group, Partitions: partitions}
}

func feeds(name string) []task.Sink {
	return []task.Sink{{Topic: task.Topic{Name: name + "-repartition", Internal: true}}}
}

func counts(pairs ...any) map[string]int32 {
	m := map[string]int32{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = int32(pairs[i+1].(int))
	}
	return m
}

func TestResolve(t *testing.T) {
	t.Parallel()
	keyed := []task.Store{{Name: "n", Logged: true}}
	for _, tc := range []struct {
		name   string
		subs   []*task.Sub
		counts map[string]int32
		want   string // tasks by sub-topology, then internal topics; or part of the error
	}{
		{"a repartition topic has as many partitions as feed it", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 0), source("b", 1)}, Sinks: feeds("r")},
			{ID: 1, Sources: []task.Source{repartition("r", 2, 0)}, Stores: keyed},
		}, counts("a", 4, "b", 6), "6 6 | app-r-repartition:6 app-n-changelog:6"},
		{"its author may fix the count", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 0)}, Sinks: feeds("r")},
			{ID: 1, Sources: []task.Source{repartition("r", 2, 3)}, Stores: keyed},
		}, counts("a", 4), "4 3 | app-r-repartition:3 app-n-changelog:3"},
		{"what it is joined with decides before that", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 0)}, Sinks: feeds("r")},
			{ID: 1, Sources: []task.Source{repartition("r", 2, 0), source("table", 2)}, Stores: keyed},
		}, counts("a", 4, "table", 8), "4 8 | app-r-repartition:8 app-n-changelog:8"},
		{"counts pass from one repartition topic to the next", []*task.Sub{
			{ID: 0, Sources: []task.Source{repartition("r2", 0, 0)}},
			{ID: 1, Sources: []task.Source{repartition("r1", 1, 0)}, Sinks: feeds("r2")},
			{ID: 2, Sources: []task.Source{source("a", 2)}, Sinks: feeds("r1")},
		}, counts("a", 5), "5 5 5 | app-r2-repartition:5 app-r1-repartition:5"},
		{"unjoined topics may differ", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 0), source("b", 1)}},
		}, counts("a", 4, "b", 6), "6 |"},
		{"joined ones may not", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 0), source("b", 0)}, Stores: keyed},
		}, counts("a", 4, "b", 6), "a has 4, b has 6: repartition one of them"},
		{"nor may one with a fixed count", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 1)}, Sinks: feeds("r")},
			{ID: 1, Sources: []task.Source{repartition("r", 0, 3), source("b", 0)}, Stores: keyed},
		}, counts("a", 4, "b", 6), "app-r-repartition has 3, b has 6"},
		{"a source topic must exist", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 0)}},
		}, nil, `source topic "a" does not exist`},
		{"an internal topic that exists must fit", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 0)}, Sinks: feeds("r")},
			{ID: 1, Sources: []task.Source{repartition("r", 2, 0)}},
		}, counts("a", 4, "app-r-repartition", 7), "has 7 partitions and needs 4"},
		{"a changelog, too", []*task.Sub{
			{ID: 0, Sources: []task.Source{source("a", 0)}, Stores: keyed},
		}, counts("a", 4, "app-n-changelog", 3), "has 3 partitions and needs 4"},
	} {
		l, err := Resolve(&task.Plan{Subs: tc.subs}, "app", tc.counts)
		if err == nil {
			err = l.Misfits(tc.counts)
		}
		got := ""
		if err != nil {
			if got = err.Error(); strings.Contains(got, tc.want) {
				continue
			}
		} else {
			for _, s := range l.Subs {
				got += fmt.Sprint(s.Partitions, " ")
			}
			got += "|"
			for _, it := range l.Internal {
				got += fmt.Sprintf(" %s:%d", it.Name, it.Partitions)
			}
		}
		if got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

// What is wrong with some topics does not keep others from being laid out.
func TestResolveAsFarAsItGoes(t *testing.T) {
	t.Parallel()
	plan := &task.Plan{Subs: []*task.Sub{
		{ID: 0, Sources: []task.Source{source("a", 0)}, Sinks: feeds("r")},
		{ID: 1, Sources: []task.Source{repartition("r", 1, 0)}},
		{ID: 2, Sources: []task.Source{source("gone", 2)}},
		{ID: 3, Sources: []task.Source{source("c", 3), source("d", 3)}},
	}}
	l, err := Resolve(plan, "app", counts("a", 4, "c", 2, "d", 3, "app-r-repartition", 7))
	if !errors.Is(err, ErrNoTopic) || strings.Contains(err.Error(), "app-r") {
		t.Errorf("got %v", err)
	}
	var tasks []int32
	for _, s := range l.Subs {
		tasks = append(tasks, s.Partitions)
	}
	if !slices.Equal(tasks, []int32{4, 4, 0, 3}) {
		t.Errorf("tasks %v", tasks)
	}
}
