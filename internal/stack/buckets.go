package stack

import (
	"time"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

// CORSRule is a cors_rule of an aws_s3_bucket_cors_configuration. Origins that
// Terraform has yet to learn are missing.
type CORSRule struct {
	AllowedHeaders []string
	AllowedMethods []string
	AllowedOrigins []string
	ExposeHeaders  []string
	MaxAge         time.Duration // negative: none is given
}

// LifecycleRule is a rule of an aws_s3_bucket_lifecycle_configuration that is in force:
// days after which objects below a prefix expire, and uploads in parts are aborted; 0
// is never. Rules by tags, sizes and dates, transitions and versions are left out.
type LifecycleRule struct {
	ID         string
	Prefix     string
	ExpireDays int
	AbortDays  int
}

func (r *reader) buckets(d Distribution) []Bucket {
	var all []Bucket
	for _, res := range r.All("aws_s3_bucket") {
		b := Bucket{Address: res.Address, Bucket: r.Attributes(res).Str("bucket"), Role: RoleOther}
		for _, o := range d.Origins {
			if o.Bucket && o.Target == res.Address {
				b.Role = RoleSite
			}
		}
		cors := r.ofBucket(res, "aws_s3_bucket_cors_configuration")
		if b.Role == RoleOther && cors != nil {
			b.Role = RoleFiles // browsers write to it
		}
		if cors != nil {
			b.CORSRules = r.corsRules(cors)
		}
		if lifecycle := r.ofBucket(res, "aws_s3_bucket_lifecycle_configuration"); lifecycle != nil {
			b.LifecycleRules = r.lifecycleRules(lifecycle)
		}
		all = append(all, b)
	}
	return all
}

// ofBucket is the configuration of a kind that a bucket has, or nil.
func (r *reader) ofBucket(bucket *tfplan.Resource, kind string) *tfplan.Resource {
	for _, res := range r.All(kind) {
		if r.Find(res, r.Attributes(res).Str("bucket"), "bucket", "aws_s3_bucket") == bucket {
			return res
		}
	}
	return nil
}

func (r *reader) corsRules(res *tfplan.Resource) (rules []CORSRule) {
	for _, rule := range r.Attributes(res).Blocks("cors_rule") {
		rules = append(rules, CORSRule{
			AllowedHeaders: rule.Strings("allowed_headers"),
			AllowedMethods: rule.Strings("allowed_methods"),
			AllowedOrigins: rule.Strings("allowed_origins"),
			ExposeHeaders:  rule.Strings("expose_headers"),
			MaxAge:         rule.Duration("max_age_seconds", time.Second, -1),
		})
	}
	return rules
}

func (r *reader) lifecycleRules(res *tfplan.Resource) (rules []LifecycleRule) {
	for _, rule := range r.Attributes(res).Blocks("rule") {
		filter := rule.Block("filter")
		sizes := filter.Number("object_size_greater_than", 0) > 0 || filter.Number("object_size_less_than", 0) > 0
		if rule.Str("status") != "Enabled" || sizes || len(filter.Blocks("tag"))+len(filter.Blocks("and")) > 0 {
			continue
		}
		l := LifecycleRule{
			ID:         rule.Str("id"),
			Prefix:     filter.Str("prefix") + rule.Str("prefix"), // of which AWS takes one
			ExpireDays: rule.Block("expiration").Number("days", 0),
			AbortDays:  rule.Block("abort_incomplete_multipart_upload").Number("days_after_initiation", 0),
		}
		if l.ExpireDays > 0 || l.AbortDays > 0 {
			rules = append(rules, l)
		}
	}
	return rules
}
