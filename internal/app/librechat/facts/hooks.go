package facts

import (
	_ "embed"
	"encoding/base64"
	"path"
	"slices"
	"strings"
)

// A hook is a script that Node loads before LibreChat, whose files stay as they are.
// It is for the releases that show its marks: one that can do by itself what the hook is
// for, and one that nobody tried, run without it.
type hook struct {
	name   string
	script []byte
	marks  []mark // all of them must be there
	unless []mark // none of them may be there
}

//go:embed streams.mjs
var streamsScript []byte

//go:embed answers.mjs
var answersScript []byte

//go:embed start.mjs
var startScript []byte

// hooks are all of them, in the order in which they are loaded. rules.json says the same
// of an image's release.
var hooks = []hook{
	// An answer that has ended is kept for a reader that comes late.
	{"streams", streamsScript, []mark{afterPost}, []mark{acrossProcesses}},
	// A late reader gets all of an answer, which ends before its environment does, or soon
	// after one that was killed.
	{"answers", answersScript, []mark{afterPost}, nil},
	// The election of a start waits a thirtieth of its time, and environments of one snapshot
	// stand for it by ids of their own.
	{"start", startScript, []mark{afterPost}, nil},
}

// file is where an image has the hook's script.
func (h hook) file() string { return path.Join(imageDir, "librechat-"+h.name+".mjs") }

// hooks are those that the release gets.
func (r Release) hooks() []hook {
	if r.Untried {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(hooks), func(h hook) bool {
		return slices.ContainsFunc(h.marks, func(m mark) bool { return !r.shows(m) }) || slices.ContainsFunc(h.unless, r.shows)
	})
}

// shows is what Detect has found of a mark.
func (r Release) shows(m mark) bool {
	switch m {
	case afterPost:
		return r.Design == GeneratesAfterPost
	case acrossProcesses:
		return r.AcrossProcesses
	}
	panic("no hook asks for " + m.text)
}

// nodeOptions loads the release's hooks. Their scripts are data URLs, so that no file
// has to be put into the release's directory; an image has files (ImageAdditions).
func (r Release) nodeOptions() string {
	var options []string
	for _, h := range r.hooks() {
		options = append(options, "--import=data:text/javascript;base64,"+base64.StdEncoding.EncodeToString(h.script))
	}
	return strings.Join(options, " ")
}

// Hooks says in one line which hooks the release gets.
func (r Release) Hooks() string {
	var on []string
	for _, h := range r.hooks() {
		on = append(on, h.name)
	}
	switch {
	case len(on) > 0:
		return "LibreChat " + r.Version + " runs with hooks: " + strings.Join(on, ", ")
	case r.Untried:
		return "LibreChat " + r.Version + " was not tried with this program: it runs plain, without hooks"
	}
	return "LibreChat " + r.Version + " needs no hooks"
}
