package stack

import (
	_ "embed"
	"errors"
	"fmt"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

//go:generate go test ../../infrastructure/terraform -count=1 -timeout=15m -run=TestExtract$ -update

// defaultPlan is the extract of the plan of infrastructure/terraform/environments/dev.
//
//go:embed default.json
var defaultPlan []byte

// Default returns the stack of the shipped environment, from the embedded
// extract of its plan. Each call makes a new one, which the caller may change.
func Default() (*Stack, error) { return Parse(defaultPlan) }

// RefusedError is what AWS would refuse of a plan that reads well, with the address of
// its resource.
type RefusedError = tfplan.RefusedError

// Parse reads a Terraform or OpenTofu plan (`tofu show -json PLANFILE`), a state
// (`tofu show -json`), or an extract of either in the same shape, as
// https://developer.hashicorp.com/terraform/internals/json-format describes it.
// An error names the address of the resource that is not understood. A plan
// without a distribution, a REST API and a function is no stack.
func Parse(data []byte) (*Stack, error) {
	plan, err := tfplan.Read(data)
	if err != nil {
		return nil, err
	}
	return (&reader{plan}).stack()
}

// reader turns a plan's resources into a Stack.
type reader struct{ *tfplan.Plan }

// only returns the one resource of the type.
func (r *reader) only(kind string) (*tfplan.Resource, error) {
	all := r.All(kind)
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return nil, fmt.Errorf("the plan has no %s", kind)
	}
	return nil, fmt.Errorf("the plan has %d of %s (%s, %s, …): a stack has one", len(all), kind, all[0].Address, all[1].Address)
}

func (r *reader) stack() (*Stack, error) {
	distribution, errD := r.only("aws_cloudfront_distribution")
	api, errA := r.only("aws_api_gateway_rest_api")
	function, errF := r.only("aws_lambda_function")
	if err := errors.Join(errD, errA, errF); err != nil {
		return nil, err
	}
	s := &Stack{
		Function:     r.function(function),
		RestAPI:      r.restAPI(api),
		Distribution: r.distribution(distribution),
		Cache:        r.cache(),
		Monitoring: Monitoring{
			Alarms:        len(r.All("aws_cloudwatch_metric_alarm")),
			MetricFilters: len(r.All("aws_cloudwatch_log_metric_filter")),
			Dashboards:    len(r.All("aws_cloudwatch_dashboard")),
		},
	}
	s.Buckets = r.buckets(s.Distribution)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

func (r *reader) cache() Cache {
	all := r.All("aws_elasticache_replication_group")
	if len(all) == 0 {
		return Cache{}
	}
	a := r.Attributes(all[0])
	return Cache{
		Address:                  all[0].Address,
		ReplicationGroupID:       a.Str("replication_group_id"),
		NodeType:                 a.Str("node_type"),
		NumCacheClusters:         a.Number("num_cache_clusters", 1),
		TransitEncryptionEnabled: a.Flag("transit_encryption_enabled"),
		SnapshotRetentionLimit:   a.Number("snapshot_retention_limit", 0),
	}
}
