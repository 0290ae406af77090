package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/task"
)

// ErrTopologyChanged is wrapped by the error of a start with a topology that cannot go
// on from the state of the one before it.
var ErrTopologyChanged = errors.New("the topology has changed")

// shapeFile, in the state directory, holds what the topology of the last start was, a
// line for each part of its shape behind one that says which format this is.
const (
	shapeFile   = "topology.txt"
	shapeFormat = "leat topology 1"
)

// checkShape compares the topology with that of the last start from the same state
// directory. What was added or removed is told; a store that keeps something else under
// its old name is refused, since what is restored would be misread.
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
	}
	head, lines, _ := strings.Cut(string(text), "\n")
	if head != shapeFormat {
		return fmt.Errorf("%s begins with %q and this version of leat knows %q: run a newer version, or delete the file", name, head, shapeFormat)
	}
	was, is := strings.FieldsFunc(lines, func(r rune) bool { return r == '\n' }), in.cfg.Plan.Shape
	if slices.Equal(was, is) {
		return nil
	}
	difference, clashes := compare(was, is)
	if len(clashes) > 0 {
		return fmt.Errorf("%w: %s is not what it was, and its state would be misread: give it another name, or reset the application\n%s",
			ErrTopologyChanged, strings.Join(clashes, ", "), strings.Join(difference, "\n"))
	}
	in.log.Warn("the topology has changed since the last start: stores that are new begin empty, topics of what is gone stay", "difference", strings.Join(difference, "; "))
	return in.writeShape(name)
}

func (in *Instance) writeShape(name string) error {
	text := shapeFormat + "\n" + strings.Join(in.cfg.Plan.Shape, "\n") + "\n"
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return os.Rename(name+".new", name)
}

// compare returns the lines that are gone and those that are new, and the stores that are
// in both with another form.
func compare(was, is []string) (difference, clashes []string) {
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
			clashes = append(clashes, fmt.Sprintf("store %q", store))
		}
	}
	return difference, clashes
}
