package apigateway

import (
	"fmt"
	"time"

	"github.com/aproorg/sluice/internal/stack"
)

// defaultTimeout is an integration's that has none.
const defaultTimeout = 29 * time.Second

func newMethod(cfg Config, m stack.Method) (*method, error) {
	in := m.Integration
	out := &method{Method: m, stream: in.ResponseTransferMode == stack.TransferStream}
	var err error
	switch in.Type {
	case stack.IntegrationMock:
		out.mock, err = newMock(in)
		return out, err
	case stack.IntegrationProxy:
	default:
		return nil, fmt.Errorf("type %q: only AWS_PROXY and MOCK are emulated", in.Type)
	}
	switch in.ResponseTransferMode {
	case stack.TransferStream, stack.TransferBuffered, "":
	default:
		return nil, fmt.Errorf("response_transfer_mode %q: want STREAM or BUFFERED", in.ResponseTransferMode)
	}
	if out.Integration.Timeout, err = timeout(in); err != nil {
		return nil, err
	}
	name, ok := cfg.Functions[in.Function]
	if !ok || cfg.LambdaEndpoint == "" {
		return nil, fmt.Errorf("function %q is not among those given, or Lambda's endpoint is missing", in.Function)
	}
	out.function = name
	return out, nil
}

func timeout(in stack.Integration) (time.Duration, error) {
	limit := stack.MaxBufferedTimeout
	if in.ResponseTransferMode == stack.TransferStream {
		limit = stack.MaxStreamTimeout
	}
	switch {
	case in.Timeout == 0:
		return defaultTimeout, nil
	case in.Timeout < stack.MinTimeout || in.Timeout > limit:
		return 0, fmt.Errorf("timeout %s: want %s to %s", in.Timeout, stack.MinTimeout, limit)
	}
	return in.Timeout, nil
}
