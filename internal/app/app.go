// Package app says what Sluice knows of an app: a Preset holds the facts by which
// its image is made, its site uploaded, its API routed, its environment checked,
// its readiness awaited, its month priced, its rehearsal started and its deployment
// verified. The packages that do these things take the facts as values and know no
// app; package presets lists the presets.
//
// It leaves out every app's own knowledge, which lives in a folder of its own below
// this one, and all that a command shows.
package app

import (
	"flag"

	"github.com/aproorg/sluice/internal/cost"
)

// Preset is all that Sluice knows of one app. Only Name, Title and Short are
// required: a fact that is missing is one that the app does not need.
type Preset struct {
	Name  string // what --app takes, in lower case
	Title string // as its makers write it
	Short string // what it is, in half a line

	Image Image
	// Routes are the path patterns that go to the app (CloudFront's: * and ?); all
	// else is its site. None means that every path goes to the app.
	Routes []string
	// Ready says how the app shows that it can serve.
	Ready Ready
	// Variables are those that Sluice has an opinion on, in reading order.
	Variables []Variable
	// Stores are what the app needs and its stack refers to without owning: they are
	// paid for elsewhere.
	Stores []cost.Line

	// Rehearsal makes what `sluice up` runs; nil for an app that is only deployed.
	Rehearsal func() Rehearsal
	// Probe makes what `sluice verify` checks; nil if nothing is known of its paths.
	Probe func() Probe
	// Serve runs the app in this process; only an app that Sluice brings along has it.
	Serve func(s Server) error
	// Document is the app's guide in Markdown, as far as it is made from these facts.
	Document func() string

	// Examples are command lines for --help, by command: "up", "verify", "image".
	Examples map[string][]string
}

// Image is what an image of the app has, and what Sluice adds to it.
type Image struct {
	Base   string            // an official image, by tag
	Expect []string          // files by which the app's image is known
	Links  map[string]string // paths that the app writes to, each with its place below /tmp
	Files  map[string][]byte // files to add, by absolute path
	Env    map[string]string // environment to add
	// Release is a variable that differs between images and is part of each: what the app
	// keeps outside under its value is of one release. Empty is none.
	Release string
	Site    string  // directory of the built front end
	GB      float64 // what the registry keeps, compressed
}

// Ready says how an app shows that it can serve, in the terms of the bootstrap's
// SLUICE_READY_PATH and SLUICE_READY_STATUS.
type Ready struct {
	Path   string // empty is /, "tcp" is an open port
	Status string // statuses that count, such as "200-399,404"; empty is 200-399
}

// Need is whose task a variable of the environment is.
type Need string

const (
	Required  Need = "required"  // the deployment gives it
	Provided  Need = "provided"  // Sluice sets it; the deployment may set another value
	Forbidden Need = "forbidden" // it, or a value of it, breaks the app on Lambda
)

// By says who sets the variable, for the one who deploys.
func (n Need) By() string {
	switch n {
	case Required:
		return "you"
	case Provided:
		return "Sluice"
	}
	return "nobody, or not to another value"
}

// Variable is one variable of an app's environment that Sluice has an opinion on.
type Variable struct {
	Name   string
	Need   Need
	Secret bool
	Value  string // of a provided one; empty where it depends on the deployment
	Why    string
	Check  func(value string) error // of a value that is set; nil accepts all
}

// Options are flags of one app, in the standard library's form.
type Options interface {
	Flags(f *flag.FlagSet)
}

// UsageError is a fault of the command line that only the app can see.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }
