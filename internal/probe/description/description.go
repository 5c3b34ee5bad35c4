// Package description is what an app's checks are made of: the paths by which it can be checked, and what each of them
// must answer. Presets write it in Go, users of other apps in JSON.
//
// It leaves out the checks themselves (package probe), and what fills a variable.
package description

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Description says by which paths an app can be checked. All parts are optional: what is absent is not checked.
//
// In paths, headers and bodies, ${name} stands for a variable: one that the caller sets, one captured by an earlier request,
// or one of the run: ${silence_ms}, ${late_ms}, ${events}, ${interval_ms}, and ${random}, 16 hex digits that are new in
// each request.
type Description struct {
	App  string `json:"app"`
	Site *Site  `json:"site,omitempty"`
	// API answers 200 with JSON to anyone.
	API *Request `json:"api,omitempty"`
	// Errors must reach the visitor with their status, and not as a page.
	Errors []Expect `json:"errors,omitempty"`
	// Login is made once. Its cookies and captures serve the checks after it.
	Login *Request `json:"login,omitempty"`

	Head        *Request  `json:"head,omitempty"`        // answers 200 to GET, and so to HEAD
	NoContent   *Request  `json:"noContent,omitempty"`   // answers 204
	NotModified *Request  `json:"notModified,omitempty"` // answers 200 with an ETag, and 304 to that
	Redirect    *Expect   `json:"redirect,omitempty"`    // answers 3xx with this Location
	Cookies     *Cookies  `json:"cookies,omitempty"`
	Binary      *Binary   `json:"binary,omitempty"`
	Download    *Download `json:"download,omitempty"`
	Upload      *Upload   `json:"upload,omitempty"`

	// Distinct are requests whose answers hold ids. Each is a check of its own.
	Distinct []Distinct `json:"distinct,omitempty"`

	Stream  *Stream  `json:"stream,omitempty"`  // ${events} events, one each ${interval_ms}
	Late    *Stream  `json:"late,omitempty"`    // no headers for ${late_ms}
	Silence *Stream  `json:"silence,omitempty"` // an event, nothing for ${silence_ms}, more events
	Stopped *Stopped `json:"stopped,omitempty"`
	// Conversation is made call by call, each with what the answers before it gave. Each
	// is a check of its own.
	Conversation []Call `json:"conversation,omitempty"`
	// HeartbeatEvent is the name of the event that fills a silence. Empty: any event that comes in it.
	HeartbeatEvent string `json:"heartbeatEvent,omitempty"`
}

// Site is a single-page app.
type Site struct {
	Routes  []string `json:"routes,omitempty"`  // answered with index.html
	Missing string   `json:"missing,omitempty"` // a file that does not exist, and is not index.html
	// Hashed finds, in index.html, the paths of files whose names change with their content (RE2).
	Hashed string `json:"hashed,omitempty"`
}

// Request is an HTTP request below the base URL.
type Request struct {
	Method string            `json:"method,omitempty"` // empty: GET, or POST with a body
	Path   string            `json:"path"`
	Header map[string]string `json:"header,omitempty"` // a field whose value is empty is not sent
	Body   string            `json:"body,omitempty"`   // JSON, unless Header says otherwise
	// Capture names variables that are taken from the answer: variable -> dotted path of a JSON field.
	Capture map[string]string `json:"capture,omitempty"`
}

// Expect is a request with the answer that it must get.
type Expect struct {
	Request
	Status   int    `json:"status"`
	Location string `json:"location,omitempty"`
}

// Cookies is a request whose answer sets these cookies, each in a header of its own.
type Cookies struct {
	Request
	Names []string `json:"names"`
}

// Binary is a request whose answer is not text.
type Binary struct {
	Request
	SHA256 string `json:"sha256"` // in hex
}

// Download is a request with a large answer. It is checked by Repr-Digest (RFC 9530) where the answer has that.
type Download struct {
	Request
	Bytes int64 `json:"bytes"`
}

// Upload is a request that takes any bytes and answers with JSON, which says what has arrived, or where that can be read again. Its
// Capture takes variables from that answer.
type Upload struct {
	Request
	Form        *Form    `json:"form,omitempty"`        // the bytes are a file of a form; nil: they are the body
	CountField  string   `json:"countField,omitempty"`  // holds the number of bytes that arrived
	DigestField string   `json:"digestField,omitempty"` // holds their SHA-256 in hex
	Back        *Request `json:"back,omitempty"`        // answers with the bytes
	Remove      *Request `json:"remove,omitempty"`      // removes them
	// Limit is the largest number of bytes that the app takes itself; 0 is any.
	Limit int64 `json:"limit,omitempty"`
}

// Form is a body of multipart/form-data: the fields and, after them, a file.
type Form struct {
	Fields map[string]string `json:"fields,omitempty"`
	Field  string            `json:"field"` // of the file
	File   string            `json:"file"`  // its name
	Type   string            `json:"type,omitempty"`
}

// Stream is an event stream. Start, if set, is asked for first: its captures say what to read.
type Stream struct {
	Start *Request `json:"start,omitempty"`
	Request
	// Final is in the data of the last event of a whole stream.
	Final string `json:"final,omitempty"`
	// Clock is the field of an event's JSON data that holds the app's clock in microseconds since 1970 as it wrote it.
	// Without it, the cadence is judged by arrivals alone.
	Clock string `json:"clock,omitempty"`
}

// Stopped is a stream whose reader leaves it, and that is then stopped. It is far longer than the reader stays. Its Capture
// takes variables from the data of its events.
type Stopped struct {
	Stream
	// Text finds the pieces of the stream's text in an event's data, each as its first group (RE2).
	Text string `json:"text"`
	// Resume reads the stream again, all of it, and Stop ends it. Without them the stream ends by itself.
	Resume *Request `json:"resume,omitempty"`
	Stop   Request  `json:"stop,omitzero"`
	// Saved is answered with what the app keeps of the text.
	Saved Request `json:"saved"`
}

// Parse reads a description from JSON. Unknown fields are errors, for a typo would skip a check.
func Parse(data []byte) (Description, error) {
	var d Description
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Description{}, fmt.Errorf("probe description: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Description{}, errors.New("probe description: more than one JSON value")
	}
	if err := d.Check(); err != nil {
		return Description{}, fmt.Errorf("probe description: %w", err)
	}
	return d, nil
}

// Check returns all faults of a description.
func (d Description) Check() error {
	var faults []error
	for name, r := range d.requests() {
		if err := r.check(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	for i, c := range d.Conversation {
		if c.Name == "" {
			faults = append(faults, fmt.Errorf("conversation[%d]: it has no name", i))
		}
	}
	for i, x := range d.Distinct {
		if err := x.checkTogether(); err != nil {
			faults = append(faults, fmt.Errorf("distinct[%d]: %w", i, err))
		}
	}
	if d.Stopped != nil {
		if re, err := regexp.Compile(d.Stopped.Text); err != nil || re.NumSubexp() == 0 {
			faults = append(faults, fmt.Errorf("stopped.text: %q is no expression with a group", d.Stopped.Text))
		}
	}
	if d.Upload != nil && d.Upload.Form != nil && d.Upload.Form.Field == "" {
		faults = append(faults, errors.New("upload.form: it has no field for the file"))
	}
	if d.Site != nil {
		if _, err := regexp.Compile(d.Site.Hashed); err != nil {
			faults = append(faults, fmt.Errorf("site.hashed: %w", err))
		}
		for _, p := range append([]string{}, d.Site.Routes...) {
			if !strings.HasPrefix(p, "/") {
				faults = append(faults, fmt.Errorf("site.routes: %q does not begin with /", p))
			}
		}
	}
	return errors.Join(faults...)
}

func (r Request) check() error {
	switch {
	case !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("path %q does not begin with /", r.Path)
	case !methodName.MatchString(r.Method):
		return fmt.Errorf("method %q is none", r.Method)
	}
	return nil
}

var methodName = regexp.MustCompile(`^[A-Z]{0,16}$`)

// requests lists the requests that are there, by the field's name.
func (d Description) requests() map[string]*Request {
	all := map[string]*Request{}
	add := func(name string, r *Request) {
		if r != nil {
			all[name] = r
		}
	}
	add("api", d.API)
	add("login", d.Login)
	add("head", d.Head)
	add("noContent", d.NoContent)
	add("notModified", d.NotModified)
	for i := range d.Conversation {
		add(fmt.Sprintf("conversation[%d]", i), &d.Conversation[i].Request)
	}
	for i := range d.Distinct {
		add(fmt.Sprintf("distinct[%d]", i), &d.Distinct[i].Request)
		add(fmt.Sprintf("distinct[%d].remove", i), d.Distinct[i].Remove)
	}
	for i := range d.Errors {
		add(fmt.Sprintf("errors[%d]", i), &d.Errors[i].Request)
	}
	if d.Redirect != nil {
		add("redirect", &d.Redirect.Request)
	}
	if d.Cookies != nil {
		add("cookies", &d.Cookies.Request)
	}
	if d.Binary != nil {
		add("binary", &d.Binary.Request)
	}
	if d.Download != nil {
		add("download", &d.Download.Request)
	}
	if d.Upload != nil {
		add("upload", &d.Upload.Request)
		add("upload.back", d.Upload.Back)
		add("upload.remove", d.Upload.Remove)
	}
	streams := map[string]*Stream{"stream": d.Stream, "late": d.Late, "silence": d.Silence}
	if d.Stopped != nil {
		streams["stopped"] = &d.Stopped.Stream
		add("stopped.saved", &d.Stopped.Saved)
		if d.Stopped.Resume != nil {
			add("stopped.resume", d.Stopped.Resume)
			add("stopped.stop", &d.Stopped.Stop)
		}
	}
	for name, s := range streams {
		if s != nil {
			add(name, &s.Request)
			add(name+".start", s.Start)
		}
	}
	return all
}
