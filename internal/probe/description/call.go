package description

// Call is one request of a conversation. Its answer is JSON, or an event stream
// that carries that JSON as the data of one of its events, as JSON-RPC over
// streamable HTTP answers.
type Call struct {
	Name string `json:"name"` // of the check
	Request
	Status []int `json:"status,omitempty"` // those that are right; none is 200
	// Field is the dotted path of a field that the answer must have; Request.Capture
	// reads from the same JSON. Empty: the body does not matter.
	Field string `json:"field,omitempty"`
	// CaptureHeader names variables that are taken from the answer's header fields. One
	// that the answer lacks is empty.
	CaptureHeader map[string]string `json:"captureHeader,omitempty"`
	// Together is how often the call is made at the same time, so that it reaches
	// several environments; 0 is once.
	Together int    `json:"together,omitempty"`
	Hint     string `json:"hint,omitempty"` // what most likely mends a failure
}
