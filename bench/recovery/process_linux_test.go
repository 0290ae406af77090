package recovery

import "syscall"

// dieWithParent makes the kernel kill a process when its test is gone without a cleanup, by a panic or a time-out.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
