package awsx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/aproorg/sluice/internal/hint"
)

// Function is a function of Lambda, for its versions and their images.
type Function struct {
	config *Config
	client *lambda.Client
	name   string
}

// Function returns the function with the name given.
func (c *Config) Function(name string) *Function {
	return &Function{config: c, name: name, client: lambda.NewFromConfig(c.sdk, func(o *lambda.Options) {
		// An update under way makes a deletion a conflict, until it is done.
		o.Retryer = retry.AddWithErrorCodes(o.Retryer, (*types.ResourceConflictException)(nil).ErrorCode())
	})}
}

// activeWait is how long Lambda's own waiter gives a version (PublishedVersionActive: 312 times 5 s).
const activeWait = 312 * 5 * time.Second

// AwaitActive waits until the published version can be invoked, as Lambda's own waiter PublishedVersionActive does: one with
// SnapStart is Pending while its snapshot is taken. A version that is Inactive, as one with SnapStart is when nobody called it for
// 14 days, is called with an empty event, at which Lambda makes it active again and refuses the call until then
// (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-function-states).
// A version that is Failed, or not there, is an error that says why.
func (f *Function) AwaitActive(ctx context.Context, version string) error {
	var last lambda.GetFunctionConfigurationOutput
	var refused error
	waiter := lambda.NewPublishedVersionActiveWaiter(f.client, func(o *lambda.PublishedVersionActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, 5*time.Second
		again := o.Retryable
		o.Retryable = func(ctx context.Context, in *lambda.GetFunctionConfigurationInput, out *lambda.GetFunctionConfigurationOutput, err error) (bool, error) {
			if err == nil {
				if last = *out; last.State == types.StateInactive {
					if refused = f.wake(ctx, version); refused != nil {
						return false, refused
					}
				}
			}
			return again(ctx, in, out, err)
		}
	})
	err := waiter.Wait(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &f.name, Qualifier: &version}, activeWait)
	switch {
	case err == nil:
		return nil
	case refused != nil:
		return refused
	case last.State == types.StateFailed:
		return hint.With(fmt.Errorf("version %s of function %s has failed: %s (%s)", version, f.name, aws.ToString(last.StateReason), last.StateReasonCode),
			"its log, /aws/lambda/%s, has what the app said when it was started; mend that and deploy another image, or one variable more in environment, for Lambda publishes no version where nothing has changed", f.name)
	case code(err) == "ResourceNotFoundException":
		return hint.With(fmt.Errorf("function %s has no version %s: %w", f.name, version, err),
			"old versions are removed: `aws lambda list-versions-by-function` lists those that are left")
	case ctx.Err() == nil && last.State != "":
		return fmt.Errorf("wait until version %s of function %s is active: it is %s, %s: %w", version, f.name, last.State, aws.ToString(last.StateReason), err)
	}
	return fmt.Errorf("wait until version %s of function %s is active: %w", version, f.name, explain(err))
}

// wake calls an inactive version, at which Lambda makes it active again and refuses the call until then.
func (f *Function) wake(ctx context.Context, version string) error {
	_, err := f.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.name, Qualifier: &version, Payload: []byte("{}")})
	if status(err) == http.StatusForbidden || code(err) == "ResourceNotFoundException" {
		return fmt.Errorf("wake version %s of function %s, which is inactive: %w", version, f.name, explain(err))
	}
	return nil // any other refusal is the way of the version to Active, which is looked at again
}

// Removed is what Prune has removed: numbers of versions, digests of images.
type Removed struct{ Versions, Images []string }

// Prune removes the published versions beyond the newest keep, except those that an
// alias names, and then the images of the repository (of the function's account and
// region; empty is none) beyond the newest keep, except those of $LATEST and of the
// versions that are left. What it could not remove is in the error, and the rest is
// done nevertheless. A function or repository that is gone is no error.
func (f *Function) Prune(ctx context.Context, keep int, repository string) (Removed, error) {
	var removed Removed
	versions, err := f.versions(ctx)
	if err != nil {
		return removed, gone(err)
	}
	named, err := f.named(ctx)
	if err != nil {
		return removed, gone(err)
	}
	var failed []error
	left := []string{"$LATEST"}
	for i, version := range versions {
		if i < keep || named[version] {
			left = append(left, version)
			continue
		}
		_, err := f.client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &f.name, Qualifier: &version})
		if err = gone(err); err != nil {
			failed = append(failed, fmt.Errorf("delete version %s of function %s: %w", version, f.name, explain(err)))
			left = append(left, version)
			continue
		}
		removed.Versions = append(removed.Versions, version)
	}
	if repository != "" {
		removed.Images, err = f.pruneImages(ctx, keep, repository, left)
		failed = append(failed, err)
	}
	return removed, errors.Join(failed...)
}

// versions are the published ones, the newest first.
func (f *Function) versions(ctx context.Context) ([]string, error) {
	var numbers []int
	pages := lambda.NewListVersionsByFunctionPaginator(f.client, &lambda.ListVersionsByFunctionInput{FunctionName: &f.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list versions of function %s: %w", f.name, explain(err))
		}
		for _, v := range page.Versions {
			if n, err := strconv.Atoi(aws.ToString(v.Version)); err == nil { // not $LATEST
				numbers = append(numbers, n)
			}
		}
	}
	slices.Sort(numbers)
	slices.Reverse(numbers)
	var versions []string
	for _, n := range slices.Compact(numbers) {
		versions = append(versions, strconv.Itoa(n))
	}
	return versions, nil
}

// named are the versions that aliases stand for, the second one of a canary too.
func (f *Function) named(ctx context.Context) (map[string]bool, error) {
	named := map[string]bool{}
	pages := lambda.NewListAliasesPaginator(f.client, &lambda.ListAliasesInput{FunctionName: &f.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list aliases of function %s: %w", f.name, explain(err))
		}
		for _, a := range page.Aliases {
			named[aws.ToString(a.FunctionVersion)] = true
			if a.RoutingConfig != nil {
				for version := range a.RoutingConfig.AdditionalVersionWeights {
					named[version] = true
				}
			}
		}
	}
	return named, nil
}

// pruneImages removes the images beyond the newest keep that no version runs.
func (f *Function) pruneImages(ctx context.Context, keep int, repository string, versions []string) (removed []string, err error) {
	needed := map[string]bool{}
	for _, version := range versions {
		answer, err := f.client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &f.name, Qualifier: &version})
		if err != nil { // without its image known, none may go
			return nil, fmt.Errorf("read version %s of function %s: %w", version, f.name, explain(err))
		}
		if answer.Code != nil {
			for _, uri := range []*string{answer.Code.ImageUri, answer.Code.ResolvedImageUri} {
				needed[aws.ToString(uri)[strings.LastIndex(aws.ToString(uri), "@")+1:]] = true
			}
		}
	}
	images, err := f.images(ctx, repository)
	if err != nil {
		return nil, gone(err)
	}
	if len(images) <= keep {
		return nil, nil
	}
	var old []ecrtypes.ImageIdentifier
	for _, image := range images[keep:] {
		if !needed[aws.ToString(image.ImageDigest)] {
			old = append(old, ecrtypes.ImageIdentifier{ImageDigest: image.ImageDigest})
		}
	}
	const most = 100 // of BatchDeleteImage
	for some := range slices.Chunk(old, most) {
		answer, err := f.config.ecr(f.config.Region()).BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: some})
		if err != nil {
			return removed, fmt.Errorf("delete images of %s: %w", repository, explain(err))
		}
		deleted := map[string]bool{} // an image with several tags comes once for each
		for _, id := range answer.ImageIds {
			deleted[aws.ToString(id.ImageDigest)] = true
		}
		removed = append(removed, slices.Sorted(maps.Keys(deleted))...)
	}
	return removed, nil
}

// images are those of the repository, the one that was pushed last first.
func (f *Function) images(ctx context.Context, repository string) ([]ecrtypes.ImageDetail, error) {
	var all []ecrtypes.ImageDetail
	pages := ecr.NewDescribeImagesPaginator(f.config.ecr(f.config.Region()), &ecr.DescribeImagesInput{RepositoryName: &repository})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list images of %s: %w", repository, explain(err))
		}
		all = append(all, page.ImageDetails...)
	}
	slices.SortStableFunc(all, func(a, b ecrtypes.ImageDetail) int {
		return aws.ToTime(b.ImagePushedAt).Compare(aws.ToTime(a.ImagePushedAt))
	})
	return all, nil
}

// gone takes the error that there is no such thing for none.
func gone(err error) error {
	switch code(err) {
	case "ResourceNotFoundException", "RepositoryNotFoundException":
		return nil
	}
	return err
}
