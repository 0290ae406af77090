package instance

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/task"
)

// ErrTopologyChanged is wrapped by the error of a start with a topology that cannot go
// on from the state of the one before it.
var ErrTopologyChanged = errors.New("the topology has changed")

// shapeFile, in the state directory, holds what the topology of the last start was: a
// line that says which format this is, one for each topic that state was in, with its id,
// and one for each part of the topology's shape. Older versions wrote no topics; they take
// such lines for parts that are gone, and say so.
const (
	shapeFile   = "topology.txt"
	shapeFormat = "leat topology 1"
)

// checkShape compares the topology with that of the last start from the same state
// directory. What was added or removed is told; a store that keeps something else under
// its old name is refused, since what is restored would be misread. It would not be if its
// topics are others by now: the application has been reset, here or from another machine.
//
// Where there is no state directory to say what that was, the topics have to.
func (in *Instance) checkShape(ctx context.Context) error {
	if in.cfg.StateDir == "" {
		return in.checkTopics(ctx)
	}
	name := filepath.Join(in.cfg.StateDir, shapeFile)
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := in.checkTopics(ctx); err != nil {
			return err
		}
		return in.writeShape(name)
	case err != nil:
		return fmt.Errorf("state directory: %w", err)
	case string(text) == in.shapeText():
		return nil
	}
	was, ids, err := readShape(name, string(text))
	if err != nil {
		return err
	}
	difference, changed := compare(was, in.cfg.Plan.Shape)
	var clashes []string
	for _, store := range changed {
		if !in.renewed(store, ids) {
			clashes = append(clashes, fmt.Sprintf("store %q", store))
		}
	}
	if len(clashes) > 0 {
		return fmt.Errorf("%w: %s is not what it was, and its state would be misread: give it another name, or reset the application; if that has been done, delete %s\n%s",
			ErrTopologyChanged, strings.Join(clashes, ", "), name, strings.Join(difference, "\n"))
	}
	if len(difference) > 0 {
		in.log.Warn("the topology has changed since the last start: stores that are new begin empty, topics of what is gone stay", "difference", strings.Join(difference, "; "))
	}
	return in.writeShape(name)
}

// readShape returns the shape that a file holds, and the ids of topics by name.
func readShape(name, text string) (shape []string, ids map[string]string, err error) {
	head, lines, _ := strings.Cut(text, "\n")
	if head != shapeFormat {
		return nil, nil, fmt.Errorf("%s begins with %q and this version of leat knows %q: run a newer version, or delete the file", name, head, shapeFormat)
	}
	ids = map[string]string{}
	for line := range strings.Lines(lines) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "topic "); ok {
			topic, id, _ := strings.Cut(rest, " ")
			ids[topic] = id
		} else if line != "" {
			shape = append(shape, line)
		}
	}
	return shape, ids, nil
}

// shapeText is what the file is to hold now.
func (in *Instance) shapeText() string {
	lines := []string{shapeFormat}
	for _, topic := range slices.Sorted(maps.Keys(in.stateTopics())) {
		lines = append(lines, "topic "+topic+" "+in.topicID(topic))
	}
	return strings.Join(append(lines, in.cfg.Plan.Shape...), "\n") + "\n"
}

// stateTopics are the topics that hold state or what leads to it, and which stores are
// restored from each.
func (in *Instance) stateTopics() map[string][]string {
	topics := map[string][]string{}
	for _, t := range in.layout.Internal {
		topics[t.Name] = nil
	}
	for _, sub := range in.cfg.Plan.Subs {
		for _, s := range sub.Stores {
			if name, _, ok := s.Changelog(in.cfg.App); ok {
				topics[name] = append(topics[name], s.Name)
			}
		}
	}
	return topics
}

func (in *Instance) topicID(topic string) string {
	id := in.topics[topic].ID
	return hex.EncodeToString(id[:])
}

// renewed reports whether nothing of what a store held is left, given the topics' ids at
// the last start: the topic that it is restored from is another one by now. A store that
// was in no topic, or is in none any more, is restored from nothing of then; any topic
// that is new shows there that somebody wanted it so.
func (in *Instance) renewed(store string, ids map[string]string) bool {
	anyNew := false
	for topic, stores := range in.stateTopics() {
		id, known := ids[topic]
		if known && slices.Contains(stores, store) {
			return id != in.topicID(topic)
		}
		anyNew = anyNew || known && id != in.topicID(topic)
	}
	return anyNew
}

func (in *Instance) writeShape(name string) error {
	if err := os.WriteFile(name+".new", []byte(in.shapeText()), 0o644); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return os.Rename(name+".new", name)
}

// compare returns the lines that are gone and those that are new, and the stores that are
// in both with another form.
func compare(was, is []string) (difference, changed []string) {
	forms := map[string]string{}
	for _, line := range was {
		if !slices.Contains(is, line) {
			difference = append(difference, "- "+line)
		}
		if store, form, ok := task.ShapeOfStore(line); ok {
			forms[store] = form
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			difference = append(difference, "+ "+line)
		}
		if store, form, ok := task.ShapeOfStore(line); ok && forms[store] != "" && forms[store] != form {
			changed = append(changed, store)
		}
	}
	return difference, changed
}
