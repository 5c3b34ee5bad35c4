package coldstart

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/bootstrap/uploads"
	"github.com/aproorg/sluice/internal/hint"
)

// batchSize is the limit of GetParameters.
const batchSize = 10

// found collects what batches bring, side by side.
type found struct {
	mu     sync.Mutex
	values map[string]settings.Secret // by the name that was asked for
	faults map[string]error
}

func (f *found) value(name string, v settings.Secret) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.values[name] = v
}

func (f *found) fault(err error, names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range names {
		f.faults[n] = err
	}
}

// faultRest gives an error to those names that have neither a value nor an error.
func (f *found) faultRest(err error, names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range names {
		if _, ok := f.values[n]; !ok && f.faults[n] == nil {
			f.faults[n] = err
		}
	}
}

var errMissing = errors.New("does not exist")

// fetchSecrets reads all parameters. Its error lists every one that could not be read, with the variable that wants it.
func (st *start) fetchSecrets(ctx context.Context) (int, error) {
	var names []string
	for _, ref := range st.Secrets {
		names = append(names, ref.Parameter)
	}
	got := st.aws.parameters(ctx, names)
	st.secrets = map[string]settings.Secret{}
	var faults []error
	for _, ref := range st.Secrets {
		v, ok := got.values[ref.Parameter]
		if !ok {
			faults = append(faults, fmt.Errorf("  %s from %s: %w", ref.Variable, ref.Parameter, got.faults[ref.Parameter]))
			continue
		}
		if strings.ContainsRune(v.Reveal(), 0) {
			faults = append(faults, fmt.Errorf("  %s from %s: the value holds a NUL byte", ref.Variable, ref.Parameter))
			continue
		}
		st.secrets[ref.Variable] = v
	}
	if len(faults) > 0 {
		return 0, hint.With(
			fmt.Errorf("%s: %d of %d secrets could not be read in %s:\n%w", settings.SecretsVariable, len(faults), len(st.Secrets), st.Region, errors.Join(faults...)),
			"each must exist in the function's region, and its role needs ssm:GetParameters on it, and kms:Decrypt on a key of your own")
	}
	return len(st.secrets), nil
}

// parameters reads any number of parameters, decrypted, in batches side by side.
func (c clients) parameters(ctx context.Context, names []string) *found {
	got := &found{values: map[string]settings.Secret{}, faults: map[string]error{}}
	unique := slices.Compact(slices.Sorted(slices.Values(names))) // the API refuses a name that is there twice
	var wg sync.WaitGroup
	for batch := range slices.Chunk(unique, batchSize) {
		wg.Go(func() { c.batch(ctx, batch, got) })
	}
	wg.Wait()
	return got
}

// batch reads up to ten parameters. One name that the policy denies fails the whole request, so that after a refusal
// each is asked for alone: the error is to name all that are at fault, and no other.
func (c clients) batch(ctx context.Context, names []string, got *found) {
	out, err := c.ssm.GetParameters(ctx, &ssm.GetParametersInput{Names: names, WithDecryption: aws.Bool(true)})
	if err != nil {
		if uploads.ErrorCode(err) == "" || len(names) == 1 {
			got.fault(reason(ctx, err), names...)
			return
		}
		for _, name := range names {
			c.batch(ctx, []string{name}, got)
		}
		return
	}
	got.fault(errMissing, out.InvalidParameters...)
	for _, p := range out.Parameters {
		for _, name := range names {
			if asked(name, aws.ToString(p.Name), aws.ToString(p.ARN), aws.ToString(p.Selector)) {
				got.value(name, settings.NewSecret(aws.ToString(p.Value)))
			}
		}
	}
	got.faultRest(errors.New("the answer does not hold it"), names)
}

// asked tells whether a parameter answers to a name as it was asked for: its name or ARN, with the version or label that
// the answer repeats as its selector. The answer for an ARN has the plain name.
func asked(name, isName, isARN, selector string) bool {
	if selector != "" && !strings.HasPrefix(selector, ":") {
		selector = ":" + selector
	}
	return name == isName+selector || name == isARN+selector
}
