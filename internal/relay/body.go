package relay

import (
	"context"
	"errors"
	"io"

	"github.com/aproorg/sluice/internal/runtimeapi"
)

// preluded yields the prelude by itself, so that the status is not kept back for the first byte of the body.
type preluded struct {
	prelude []byte
	body    io.Reader // nil for none
}

func (p *preluded) Read(b []byte) (int, error) {
	if len(p.prelude) > 0 {
		n := copy(b, p.prelude)
		p.prelude = p.prelude[n:]
		return n, nil
	}
	if p.body == nil {
		return 0, io.EOF
	}
	return p.body.Read(b)
}

// plainBody is a body that is passed on as it is. Its error becomes one that Lambda is told.
type plainBody struct {
	body io.Reader
	ctx  context.Context // of the request to the app; kept as the body lives no longer
}

func (b *plainBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil && err != io.EOF {
		err = broken(b.ctx, err)
	}
	return n, err
}

func broken(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errCut) {
		return &runtimeapi.Failure{Type: "Sluice.Deadline", Message: errCut.Error()}
	}
	return &runtimeapi.Failure{Type: "Sluice.AppBroke", Message: "the app's response broke off: " + err.Error()}
}
