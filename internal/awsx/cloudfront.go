package awsx

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/aproorg/sluice/internal/site"
)

// Distribution is a CloudFront distribution as package site wants it.
type Distribution struct {
	client *cloudfront.Client
	id     string
}

var _ site.Invalidator = (*Distribution)(nil)

// Distribution returns the distribution with the ID given.
func (c *Config) Distribution(id string) *Distribution {
	return &Distribution{client: cloudfront.NewFromConfig(c.sdk), id: id}
}

// Invalidate asks for an invalidation and does not wait for its end, which
// takes CloudFront some seconds to minutes.
// https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
func (d *Distribution) Invalidate(ctx context.Context, reference string, paths []string) (string, error) {
	answer, err := d.client.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
		DistributionId: &d.id,
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference,
			Paths:           &types.Paths{Items: paths, Quantity: aws.Int32(int32(len(paths)))},
		},
	})
	if err != nil {
		return "", fmt.Errorf("distribution %s: %w", d.id, explain(err))
	}
	return aws.ToString(answer.Invalidation.Id), nil
}
