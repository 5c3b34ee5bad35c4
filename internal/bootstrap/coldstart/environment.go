package coldstart

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/dotenv"
	"github.com/aproorg/sluice/internal/hint"
)

const maxEnvObject = 1 << 20

// fetchEnvironment reads the object and the parameter side by side.
func (st *start) fetchEnvironment(ctx context.Context) (int, error) {
	var wg sync.WaitGroup
	var object, parameter map[string]string
	var objectErr, parameterErr error
	if st.EnvS3 != (settings.Object{}) {
		wg.Go(func() { object, objectErr = st.envObject(ctx) })
	}
	if st.EnvParameter != "" {
		wg.Go(func() { parameter, parameterErr = st.envParameter(ctx) })
	}
	wg.Wait()
	if objectErr != nil {
		return 0, fmt.Errorf("%s: %w", settings.EnvS3Variable, objectErr)
	}
	if parameterErr != nil {
		return 0, fmt.Errorf("%s: %w", settings.EnvParameterVariable, parameterErr)
	}
	st.fetched = map[string]string{}
	maps.Copy(st.fetched, object)
	maps.Copy(st.fetched, parameter)
	return len(st.fetched), st.checkFetched()
}

func (st *start) envObject(ctx context.Context) (map[string]string, error) {
	data, err := st.aws.object(ctx, st.EnvS3, maxEnvObject)
	if err != nil {
		return nil, err
	}
	vars, err := dotenv.Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", st.EnvS3, err)
	}
	return vars, nil
}

func (st *start) envParameter(ctx context.Context) (map[string]string, error) {
	got := st.aws.parameters(ctx, []string{st.EnvParameter})
	v, ok := got.values[st.EnvParameter]
	if !ok {
		return nil, fmt.Errorf("parameter %s: %w", st.EnvParameter, got.faults[st.EnvParameter])
	}
	vars, err := dotenv.Parse(v.Reveal())
	if err != nil {
		return nil, fmt.Errorf("parameter %s: %w", st.EnvParameter, err)
	}
	return vars, nil
}

// checkFetched refuses what would be without effect: the bootstrap has read its settings by now, and Lambda its own.
func (st *start) checkFetched() error {
	var wrong, shadowed []string
	for _, name := range slices.Sorted(maps.Keys(st.fetched)) {
		if strings.HasPrefix(name, settings.Prefix) || strings.HasPrefix(name, "AWS_LAMBDA_") {
			wrong = append(wrong, name)
		}
		if slices.Contains(st.own, name) {
			shadowed = append(shadowed, name)
		}
	}
	if len(wrong) > 0 {
		return hint.With(fmt.Errorf("the fetched environment sets %s, which has no effect there", strings.Join(wrong, ", ")), "set it in the function's configuration")
	}
	if len(shadowed) > 0 {
		st.Log.Warn("the function's own environment wins over the fetched one", "variables", shadowed)
	}
	return nil
}
