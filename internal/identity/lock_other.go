//go:build !unix

package identity

import "os"

// tryLock does nothing where there is no flock; a durable engine has a lock of
// its own.
func tryLock(*os.File) error { return nil }
