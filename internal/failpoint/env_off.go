//go:build !failpoints

package failpoint

// FromEnv returns no hook: this build has none.
func FromEnv() Hook { return nil }
