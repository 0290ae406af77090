package pebble

import (
	"io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A frozenFS is a file system that blows the fuse at the first write that
// fails, and from then on takes every write and does nothing. No caller ever
// sees an error of a write.
//
// This is because of what Pebble does with such errors. If the disk is full
// when a log is to be begun, it panics and unlocks an unlocked mutex, which
// ends the process beyond all recovery. If it is full when a table is to be
// written, it tries again at once and for ever, writers wait for it, and Close
// waits for them. On a frozen file system all of them finish, and the
// directory holds what a kill at the first error would have left.
//
// Reads are passed on. Reading what was not written is an error, which explain
// replaces by its cause.
type frozenFS struct {
	vfs.FS
	fuse *fuse
}

func (f *frozenFS) Unwrap() vfs.FS { return f.FS }

func (f *frozenFS) frozen() bool { return f.fuse.failure() != nil }

// write calls op unless the file system is frozen, and freezes it if op fails.
func (f *frozenFS) write(op func() error) {
	if f.frozen() {
		return
	}
	if err := op(); err != nil {
		f.fuse.blow(err)
	}
}

// create makes a file by open. If it cannot, the file is one that forgets what
// is written to it.
func (f *frozenFS) create(open func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File = voidFile{}
	f.write(func() error {
		opened, err := open()
		if err == nil {
			file = opened
		}
		return err
	})
	return &frozenFile{File: file, fs: f}, nil
}

func (f *frozenFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.create(func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f *frozenFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.create(func() (vfs.File, error) { return f.FS.ReuseForWrite(from, to, c) })
}

func (f *frozenFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return f.create(func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

func (f *frozenFS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &frozenFile{File: dir, fs: f}, nil
}

func (f *frozenFS) Link(from, to string) error {
	f.write(func() error { return f.FS.Link(from, to) })
	return nil
}

func (f *frozenFS) Rename(from, to string) error {
	f.write(func() error { return f.FS.Rename(from, to) })
	return nil
}

func (f *frozenFS) MkdirAll(dir string, perm os.FileMode) error {
	f.write(func() error { return f.FS.MkdirAll(dir, perm) })
	return nil
}

// Remove may fail: a file that stays is removed at the next start.
func (f *frozenFS) Remove(name string) error {
	if f.frozen() {
		return nil
	}
	return f.FS.Remove(name)
}

func (f *frozenFS) RemoveAll(name string) error {
	if f.frozen() {
		return nil
	}
	return f.FS.RemoveAll(name)
}

// A frozenFile is a file of a frozenFS that can be written to, or a directory.
type frozenFile struct {
	vfs.File
	fs *frozenFS
}

func (f *frozenFile) Write(p []byte) (int, error) {
	f.fs.write(func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

func (f *frozenFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.write(func() error { _, err := f.File.WriteAt(p, off); return err })
	return len(p), nil
}

func (f *frozenFile) Sync() error {
	f.fs.write(f.File.Sync)
	return nil
}

func (f *frozenFile) SyncData() error {
	f.fs.write(f.File.SyncData)
	return nil
}

func (f *frozenFile) SyncTo(length int64) (full bool, err error) {
	f.fs.write(func() error { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

// Preallocate may fail, not every file system can do it.
func (f *frozenFile) Preallocate(offset, length int64) error {
	if f.fs.frozen() {
		return nil
	}
	return f.File.Preallocate(offset, length)
}

// Close is also done when frozen: the file descriptor must be given back. It
// writes nothing.
func (f *frozenFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.fs.fuse.blow(err)
	}
	return nil
}

// A voidFile stands for a file that could not be created. Nothing but its
// methods is called on a file that is being written.
type voidFile struct{ vfs.File }

func (voidFile) Close() error                { return nil }
func (voidFile) Fd() uintptr                 { return vfs.InvalidFd }
func (voidFile) Stat() (vfs.FileInfo, error) { return voidInfo{}, nil }

// A voidInfo describes a voidFile: it is empty.
type voidInfo struct{ fs.FileInfo }

func (voidInfo) Size() int64            { return 0 }
func (voidInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
