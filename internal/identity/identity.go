// Package identity keeps who a process is over restarts: its instance id, and the
// most workers it has ever had. Both go into its transactional ids, so that a
// process that comes back can fence what its predecessor left open.
package identity

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// An Identity is one process's. Its directory is locked for as long as the
// identity is open.
type Identity struct {
	InstanceID string
	Workers    int // the most ever used

	dir  string
	lock *os.File
}

// format is the version of the file.
const format = 1

type file struct {
	Format     int    `json:"format"`
	InstanceID string `json:"instance_id"`
	Workers    int    `json:"workers"`
}

// ErrLocked is wrapped by the error of opening a directory that another process
// uses.
var ErrLocked = errors.New("in use by another process")

// Open reads the identity kept in dir, or makes one there. An instance id given
// here overrides the one that is kept. With no dir the identity lasts as long as
// the process.
func Open(dir, instanceID string, workers int) (*Identity, error) {
	id := &Identity{InstanceID: instanceID, Workers: workers, dir: dir}
	if dir == "" {
		if instanceID == "" {
			id.InstanceID = rand.Text()
		}
		return id, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("state directory %s cannot be made: %w: name one that this user may write to", dir, cause(err))
	}
	if err := id.acquire(); err != nil {
		return nil, err
	}
	if err := id.load(); err != nil {
		return nil, errors.Join(err, id.Close())
	}
	return id, nil
}

func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func (id *Identity) acquire() error {
	f, err := os.OpenFile(filepath.Join(id.dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("state directory %s cannot be written to: %w: name one that this user may write to", id.dir, cause(err))
	}
	if err := tryLock(f); err != nil {
		_ = f.Close() // the lock is what failed
		return fmt.Errorf("state directory %s is %w: stop that process, or give each its own directory", id.dir, ErrLocked)
	}
	id.lock = f
	return nil
}

func (id *Identity) load() error {
	name := filepath.Join(id.dir, "identity.json")
	var have file
	b, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("state directory %s: %w", id.dir, err)
	default:
		if err := json.Unmarshal(b, &have); err != nil {
			return fmt.Errorf("%s cannot be read: %w: delete the directory; its state will be restored", name, err)
		}
		if have.Format > format {
			return fmt.Errorf("%s has format %d and this version of leat knows %d: run a newer version, or delete the directory; its state will be restored", name, have.Format, format)
		}
	}
	if id.InstanceID == "" {
		id.InstanceID = have.InstanceID
	}
	if id.InstanceID == "" {
		id.InstanceID = rand.Text()
	}
	if id.InstanceID == have.InstanceID {
		id.Workers = max(id.Workers, have.Workers)
	}
	return id.save(name)
}

func (id *Identity) save(name string) error {
	b, err := json.MarshalIndent(file{format, id.InstanceID, id.Workers}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("state directory %s cannot be written to: %w", id.dir, cause(err))
	}
	return os.Rename(name+".new", name)
}

// TransactionalID is that of the process's worker of a number, from 0 on.
func (id *Identity) TransactionalID(app string, worker int) string {
	return TransactionalID(app, id.InstanceID, worker)
}

// TransactionalID derives the transactional id of any instance's worker.
func TransactionalID(app, instanceID string, worker int) string {
	return app + "-" + instanceID + "-" + strconv.Itoa(worker)
}

// Close unlocks the directory.
func (id *Identity) Close() error {
	if id.lock == nil {
		return nil
	}
	return id.lock.Close()
}
