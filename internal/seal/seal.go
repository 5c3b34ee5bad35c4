// Package seal keeps what a process knows from the processes that it starts, and from others on the machine.
//
// On Linux a process can be read in two ways. /proc/PID/environ shows the variables that it was started with, to every process of the
// same user and to root. ptrace and /proc/PID/mem give all of its memory to the same ones, and /proc/PID/fd its open files.
// EraseEnvironment closes the first way, to root too. Process closes the second, but not to a process that has CAP_SYS_PTRACE, which
// root has outside of containers.
//
// The variables are erased where they stand rather than left behind by a second exec: a second start of the bootstrap takes 4 ms, and the
// secrets would have to travel through a file descriptor. Neither would take them out of the memory, where the program needs them.
//
// It leaves out command lines, which everybody can read, and systems other than Linux.
package seal
