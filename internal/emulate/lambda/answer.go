package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/aproorg/sluice/internal/emulate/lambda/environment"
	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/timeline"
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// stream passes every chunk on as it comes, each as an event of its own.
func (em *Emulator) stream(w http.ResponseWriter, v *environment.Invocation) {
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	flush := http.NewResponseController(w)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	total := int64(0)
	for {
		n, err := v.Read(*buf)
		if n > 0 {
			if total == 0 {
				em.emit(v, timeline.Event{Kind: timeline.RequestFirstByte, Status: 200})
			}
			total += int64(n)
			em.emit(v, timeline.Event{Kind: timeline.RequestChunk, Bytes: int64(n)})
			if writePayloadChunk(w, (*buf)[:n]) != nil || flush.Flush() != nil {
				v.Abandon(errGone)
			}
		}
		if err != nil {
			_ = writeInvokeComplete(w, em.complete(v, err))
			em.finish(v, total, err)
			return
		}
	}
}

// complete is the payload of the event that ends a stream.
func (em *Emulator) complete(v *environment.Invocation, err error) []byte {
	var doc struct {
		ErrorCode    string `json:",omitempty"`
		ErrorDetails string `json:",omitempty"`
		LogResult    string `json:",omitempty"`
	}
	var f *runtimeapi.Failure
	if errors.As(err, &f) {
		doc.ErrorCode, doc.ErrorDetails = f.Kind, string(f.Body)
	}
	doc.LogResult = logResult(v)
	payload, _ := json.Marshal(doc)
	return payload
}

// logResult is the header that carries the end of the log, or empty.
func logResult(v *environment.Invocation) string { return base64.StdEncoding.EncodeToString(v.Log()) }

// buffer answers when the whole response is there. An error of the function is
// an answer of status 200 with a header.
func (em *Emulator) buffer(w http.ResponseWriter, v *environment.Invocation) {
	limit := em.cfg.Limits.BufferedResponse
	body, err := runtimeapi.ReadLimited(v, limit)
	if errors.Is(err, runtimeapi.ErrTooLarge) {
		v.Abandon(err)
		err = runtimeapi.TooLarge(limit)
	}
	w.Header().Set("Content-Type", "application/json")
	var f *runtimeapi.Failure
	if errors.As(err, &f) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		body = f.Body
	}
	if log := logResult(v); log != "" {
		w.Header().Set("X-Amz-Log-Result", log)
	}
	em.emit(v, timeline.Event{Kind: timeline.RequestFirstByte, Status: 200})
	_, _ = w.Write(body)
	em.finish(v, int64(len(body)), err)
}

func (em *Emulator) finish(v *environment.Invocation, total int64, err error) {
	event := timeline.Event{Kind: timeline.RequestEnd, Status: 200, Bytes: total}
	if err != nil && !errors.Is(err, io.EOF) {
		event.Error = err.Error()
	}
	em.emit(v, event)
}
