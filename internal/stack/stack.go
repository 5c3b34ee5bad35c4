// Package stack is the deployed topology: one distribution, one REST API, one
// function and the stores around it, as a Terraform plan or state describes
// them. Emulators run it, the graph draws it, the cost model prices it.
//
// Field names follow the Terraform resources that they are read from
// (aws_cloudfront_distribution, aws_api_gateway_*, aws_lambda_function, …), and
// durations carry their unit in the type. The package is pure: it reads bytes
// that a caller hands it and touches neither files, network nor clock. It leaves
// out how any of it is made to run.
package stack

import "time"

// Stack is a deployed topology. The zero value of a part means that the plan
// does not have it.
type Stack struct {
	Distribution Distribution
	RestAPI      RestAPI
	Function     Function
	Buckets      []Bucket
	Cache        Cache
	Monitoring   Monitoring
}

// Bucket returns the bucket with the given Terraform address.
func (s *Stack) Bucket(address string) (Bucket, bool) {
	for _, b := range s.Buckets {
		if b.Address == address {
			return b, true
		}
	}
	return Bucket{}, false
}

// Bucket is an aws_s3_bucket. Private by default; what is public about it is not
// modelled, since no bucket of a Sluice stack may be.
type Bucket struct {
	Address string // Terraform address, e.g. module.frontend.module.bucket.aws_s3_bucket.this[0]
	Bucket  string // its name; empty while Terraform has yet to choose it
	Role    string // site, files or other

	CORSRules      []CORSRule
	LifecycleRules []LifecycleRule
}

// Roles of a bucket.
const (
	RoleSite  = "site"  // an origin of the distribution
	RoleFiles = "files" // user uploads
	RoleOther = "other"
)

// SnapStartVersions is what a function with SnapStart says: snapshots of published versions.
const SnapStartVersions = "PublishedVersions"

// Function is an aws_lambda_function of package type Image.
type Function struct {
	Address      string
	FunctionName string
	ImageURI     string
	ImageConfig  ImageConfig

	MemorySize       int           // MB, 128 to 10,240
	Timeout          time.Duration // at most 900 s
	EphemeralStorage int           // MB of /tmp, 512 to 10,240
	Architecture     string        // x86_64 or arm64
	Environment      map[string]string
	// ImageEnvironment is what Sluice added to the image's; Environment goes over it.
	ImageEnvironment map[string]string

	// ReservedConcurrency is the most environments at a time; negative is unreserved.
	ReservedConcurrency int
	// ProvisionedConcurrency counts environments of the alias kept initialised; 0 is none.
	ProvisionedConcurrency int
	// SnapStart is SnapStartVersions or "None".
	SnapStart string
	// VpcSubnets counts the private subnets the function is attached to.
	VpcSubnets int
}

// ImageConfig overrides what the image says of itself.
type ImageConfig struct {
	EntryPoint       []string
	Command          []string
	WorkingDirectory string
}

// Cache is an aws_elasticache_replication_group.
type Cache struct {
	Address                  string
	ReplicationGroupID       string
	NodeType                 string
	NumCacheClusters         int
	TransitEncryptionEnabled bool
	SnapshotRetentionLimit   int // days that an automatic snapshot is kept; 0 makes none
}

// Monitoring counts what watches the stack in CloudWatch.
type Monitoring struct {
	Alarms        int // aws_cloudwatch_metric_alarm, each of one metric
	MetricFilters int // aws_cloudwatch_log_metric_filter, each of which makes one metric
	Dashboards    int // aws_cloudwatch_dashboard
}
