package facts

import "regexp"

// stamped is the begin of an entry in LibreChat's output, without colours.
var stamped = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (info|warn|error|debug): `)

// usual are warnings of every start that say nothing of Lambda.
var usual = regexp.MustCompile(`RAG API is either not running|^Social logins are disabled|Outdated Config version|Default value for (?:CREDS|JWT)`)

// Lines tells what is routine in the output of LibreChat's processes. It is for
// one reader; its zero value is ready.
type Lines struct {
	routine map[string]bool // of the last entry, by process
}

// Routine says whether a line of a process, without colours, is of an entry that
// only informs. An entry may have more lines than its first.
func (l *Lines) Routine(process, line string) bool {
	if usual.MatchString(line) {
		return true
	}
	m := stamped.FindStringSubmatch(line)
	if m == nil {
		return l.routine[process]
	}
	if l.routine == nil {
		l.routine = map[string]bool{}
	}
	l.routine[process] = m[1] == "info" || m[1] == "debug"
	return l.routine[process]
}
