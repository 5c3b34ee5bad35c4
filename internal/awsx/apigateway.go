package awsx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// RestAPI is a REST API of API Gateway, for its deployments.
type RestAPI struct {
	client *apigateway.Client
	id     string
}

// RestAPI returns the REST API with the ID given.
func (c *Config) RestAPI(id string) *RestAPI {
	return &RestAPI{id: id, client: apigateway.NewFromConfig(c.sdk, func(o *apigateway.Options) {
		// One change at a time: another one under way makes this one a conflict.
		o.Retryer = retry.AddWithErrorCodes(o.Retryer, (*types.ConflictException)(nil).ErrorCode())
	})}
}

// Deploy makes a deployment of the API as it is now and returns its ID. No stage
// serves it yet.
// https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html
func (a *RestAPI) Deploy(ctx context.Context, description string) (string, error) {
	answer, err := a.client.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: &a.id, Description: &description})
	if err != nil {
		return "", fmt.Errorf("deploy REST API %s: %w", a.id, explain(err))
	}
	return aws.ToString(answer.Id), nil
}

// Deployments returns the IDs of the API's deployments with the description. An
// API that is gone is fs.ErrNotExist.
func (a *RestAPI) Deployments(ctx context.Context, description string) ([]string, error) {
	var ids []string
	pages := apigateway.NewGetDeploymentsPaginator(a.client, &apigateway.GetDeploymentsInput{RestApiId: &a.id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var gone *types.NotFoundException
		if errors.As(err, &gone) {
			return nil, absent{"REST API " + a.id}
		}
		if err != nil {
			return nil, fmt.Errorf("list deployments of REST API %s: %w", a.id, explain(err))
		}
		for _, d := range page.Items {
			if aws.ToString(d.Description) == description {
				ids = append(ids, aws.ToString(d.Id))
			}
		}
	}
	return ids, nil
}

// RemoveDeployment deletes a deployment, unless a stage serves it: that one stays,
// which is no error, and goes with the API. One that is gone is none either.
// https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteDeployment.html
func (a *RestAPI) RemoveDeployment(ctx context.Context, id string) error {
	_, err := a.client.DeleteDeployment(ctx, &apigateway.DeleteDeploymentInput{RestApiId: &a.id, DeploymentId: &id})
	var gone *types.NotFoundException
	var refused *types.BadRequestException
	if errors.As(err, &gone) || errors.As(err, &refused) && strings.Contains(refused.ErrorMessage(), "stages") {
		return nil // "Active stages pointing to this deployment must be moved or deleted"
	}
	if err != nil {
		return fmt.Errorf("delete deployment %s of REST API %s: %w", id, a.id, explain(err))
	}
	return nil
}
