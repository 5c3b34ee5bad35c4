package relay

import (
	"context"
	"errors"
	"io"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
)

// preluded yields the prelude by itself, so that the status is not kept back for the first byte of the body, or together with
// bytes of the body that are there already.
type preluded struct {
	prelude  []byte
	body     io.Reader // nil for none
	together bool
}

func (p *preluded) Read(b []byte) (n int, err error) {
	if len(p.prelude) > 0 {
		n = copy(b, p.prelude)
		p.prelude = p.prelude[n:]
		if !p.together || len(p.prelude) > 0 || n == len(b) {
			return n, nil
		}
	}
	if p.body == nil {
		return n, io.EOF
	}
	m, err := p.body.Read(b[n:])
	return n + m, err
}

// plainBody is a body that is passed on as it is. Its error becomes one that Lambda reports.
type plainBody struct {
	body io.Reader
	inv  *invocation
	ctx  context.Context // of the request to the app; kept as the body lives no longer
}

func (b *plainBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	if errors.Is(context.Cause(b.ctx), errCut) {
		b.inv.log.Warn("a response was broken off at the deadline", "path", b.inv.req.Path)
		return n, &runtimeapi.Failure{Type: "Sluice.Deadline", Message: errCut.Error()}
	}
	return n, b.inv.brokeOff(err)
}

// brokeOff is the error of a response that the app did not finish.
func (inv *invocation) brokeOff(err error) error {
	var bad *badAnswerError
	inv.broke = !errors.As(malformed(err), &bad) // else the app lives
	inv.log.Error("the app's response broke off", "path", inv.req.Path, "error", err)
	return &runtimeapi.Failure{Type: "Sluice.AppBroke", Message: "the app's response broke off: " + err.Error()}
}
