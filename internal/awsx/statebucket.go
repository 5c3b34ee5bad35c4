package awsx

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/aproorg/sluice/internal/hint"
)

// MakeStateBucket makes the bucket for Terraform's state where it is not there, and says
// whether it did: private, encrypted, reached by TLS alone, and versioned, so that a state
// that was damaged can be had again. Versioning comes last and tells that the rest is
// there: cut off anywhere, another call goes on. The bucket must be owner's, an account,
// for a state holds secrets, and the name can be guessed.
func (b *Bucket) MakeStateBucket(ctx context.Context) (made bool, err error) {
	versioning, err := b.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.name, ExpectedBucketOwner: b.owner})
	switch {
	case err == nil && versioning.Status == types.BucketVersioningStatusEnabled:
		return false, nil
	case status(err) == http.StatusNotFound:
		if err := b.create(ctx); err != nil {
			return false, err
		}
	case status(err) == http.StatusForbidden:
		return false, hint.With(fmt.Errorf("look at bucket %s: %w", b.name, err), "it is another account's, or these credentials may not read it")
	case err != nil:
		return false, fmt.Errorf("look at bucket %s: %w", b.name, explain(err))
	}
	for _, step := range []func(context.Context) error{b.blockPublic, b.encrypt, b.demandTLS, b.keepVersions} {
		if err := step(ctx); err != nil {
			return false, fmt.Errorf("secure bucket %s: %w", b.name, unmade(err))
		}
	}
	return true, nil
}

// unmade adds who may make the bucket to the refusal of somebody who may not.
func unmade(err error) error {
	if code(err) == "AccessDenied" {
		return hint.With(err, "these credentials may not make the state's bucket: let somebody who may run sluice init once, or attach the policy make-state of module deployer until it is made")
	}
	return explain(err)
}

// create makes the bucket. S3 refuses the name of us-east-1 as a place, and wants any other.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
func (b *Bucket) create(ctx context.Context) error {
	input := &s3.CreateBucketInput{Bucket: &b.name}
	if b.region != "us-east-1" {
		input.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(b.region)}
	}
	_, err := b.client.CreateBucket(ctx, input)
	switch code(err) {
	case "BucketAlreadyOwnedByYou": // two runs at the same time
		return nil
	case "BucketAlreadyExists":
		return hint.With(fmt.Errorf("create bucket %s: %w", b.name, err), "another account has a bucket of this name: make one of your own, and name it in backend.tf")
	}
	if err != nil {
		return fmt.Errorf("create bucket %s: %w", b.name, unmade(err))
	}
	return nil
}

func (b *Bucket) blockPublic(ctx context.Context) error {
	yes := true
	_, err := b.client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &b.name, ExpectedBucketOwner: b.owner,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: &yes, BlockPublicPolicy: &yes, IgnorePublicAcls: &yes, RestrictPublicBuckets: &yes}})
	return err
}

func (b *Bucket) encrypt(ctx context.Context) error {
	rule := types.ServerSideEncryptionRule{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256}}
	_, err := b.client.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &b.name, ExpectedBucketOwner: b.owner,
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{rule}}})
	return err
}

func (b *Bucket) demandTLS(ctx context.Context) error {
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"TLS","Effect":"Deny","Principal":"*","Action":"s3:*",`+
		`"Resource":["arn:aws:s3:::%[1]s","arn:aws:s3:::%[1]s/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`, b.name)
	_, err := b.client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &b.name, ExpectedBucketOwner: b.owner, Policy: &policy})
	return err
}

func (b *Bucket) keepVersions(ctx context.Context) error {
	_, err := b.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &b.name, ExpectedBucketOwner: b.owner,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	return err
}
