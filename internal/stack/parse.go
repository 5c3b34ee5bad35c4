package stack

import (
	_ "embed"
	"errors"
	"fmt"
	"sync"

	tfjson "github.com/hashicorp/terraform-json"
)

//go:generate go test ../../infrastructure/terraform -count=1 -timeout=15m -run=TestExtract$ -update

// defaultPlan is the extract of the plan of infrastructure/terraform/environments/dev.
//
//go:embed default.json
var defaultPlan []byte

// Default returns the stack of the shipped environment, from the embedded
// extract of its plan.
var Default = sync.OnceValues(func() (*Stack, error) { return Parse(defaultPlan) })

// Parse reads a Terraform or OpenTofu plan (`tofu show -json PLANFILE`), a state
// (`tofu show -json`), or an extract of either in the same shape, as
// https://developer.hashicorp.com/terraform/internals/json-format describes it.
// An error names the address of the resource that is not understood. A plan
// without a distribution, a REST API and a function is no stack.
func Parse(data []byte) (*Stack, error) {
	resources, config, err := read(data)
	if err != nil {
		return nil, err
	}
	return newReader(resources, config).stack()
}

// reader turns resources into a Stack and keeps the first fault.
type reader struct {
	*links
	err error
}

func newReader(resources []*resource, config *tfjson.Config) *reader {
	return &reader{links: newLinks(resources, config)}
}

func (r *reader) attributes(res *resource) attributes {
	return attributes{res.Address, res.Values, &r.err}
}

// all returns the resources of one type in the order of the file.
func (r *reader) all(kind string) []*resource { return r.ofType(nil, []string{kind}) }

// only returns the one resource of the type.
func (r *reader) only(kind string) (*resource, error) {
	all := r.all(kind)
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
	}
	s.Buckets = r.buckets(s.Distribution)
	if r.err == nil {
		r.err = s.Validate()
	}
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

func (r *reader) buckets(d Distribution) []Bucket {
	var all []Bucket
	for _, res := range r.all("aws_s3_bucket") {
		b := Bucket{Address: res.Address, Bucket: r.attributes(res).str("bucket"), Role: RoleOther}
		for _, o := range d.Origins {
			if o.Bucket && o.Target == res.Address {
				b.Role = RoleSite
			}
		}
		if b.Role == RoleOther && r.hasCORS(res) {
			b.Role = RoleFiles
		}
		all = append(all, b)
	}
	return all
}

// hasCORS tells the bucket of uploads from others: browsers write to it.
func (r *reader) hasCORS(bucket *resource) bool {
	for _, res := range r.all("aws_s3_bucket_cors_configuration") {
		if r.find(res, r.attributes(res).str("bucket"), "bucket", "aws_s3_bucket") == bucket {
			return true
		}
	}
	return false
}

func (r *reader) cache() Cache {
	all := r.all("aws_elasticache_replication_group")
	if len(all) == 0 {
		return Cache{}
	}
	a := r.attributes(all[0])
	return Cache{
		Address:                  all[0].Address,
		ReplicationGroupID:       a.str("replication_group_id"),
		NodeType:                 a.str("node_type"),
		NumCacheClusters:         a.number("num_cache_clusters", 1),
		TransitEncryptionEnabled: a.flag("transit_encryption_enabled"),
	}
}
