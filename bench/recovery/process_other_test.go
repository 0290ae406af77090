//go:build !linux

package recovery

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
