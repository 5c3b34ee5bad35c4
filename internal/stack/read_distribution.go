package stack

import (
	"time"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

// distribution reads an aws_cloudfront_distribution with CloudFront's defaults.
func (r *reader) distribution(res *tfplan.Resource) Distribution {
	a := r.Attributes(res)
	d := Distribution{
		Address:           res.Address,
		Aliases:           a.Strings("aliases"),
		HTTPVersion:       a.Str("http_version"),
		DefaultRootObject: a.Str("default_root_object"),
		WebACLID:          a.Str("web_acl_id"),
	}
	for _, o := range a.Blocks("origin") {
		d.Origins = append(d.Origins, r.origin(res, o))
	}
	d.DefaultCacheBehavior = r.behavior(res, a.Block("default_cache_behavior"), "default_cache_behavior")
	for _, b := range a.Blocks("ordered_cache_behavior") {
		d.OrderedCacheBehaviors = append(d.OrderedCacheBehaviors, r.behavior(res, b, "ordered_cache_behavior"))
	}
	for _, e := range a.Blocks("custom_error_response") {
		d.CustomErrorResponses = append(d.CustomErrorResponses, CustomErrorResponse{
			ErrorCode:          e.Number("error_code", 0),
			ResponseCode:       e.Number("response_code", 0),
			ResponsePagePath:   e.Str("response_page_path"),
			ErrorCachingMinTTL: e.Duration("error_caching_min_ttl", time.Second, 10*time.Second),
		})
	}
	return d
}

func (r *reader) origin(res *tfplan.Resource, o tfplan.Attributes) Origin {
	custom := o.Block("custom_origin_config")
	origin := Origin{
		OriginID:           o.Str("origin_id"),
		OriginPath:         o.Str("origin_path"),
		DomainName:         o.Str("domain_name"),
		Bucket:             !custom.Present(),
		ReadTimeout:        custom.Duration("origin_read_timeout", time.Second, 30*time.Second),
		KeepaliveTimeout:   custom.Duration("origin_keepalive_timeout", time.Second, 5*time.Second),
		ConnectionAttempts: o.Number("connection_attempts", 3),
		ConnectionTimeout:  o.Duration("connection_timeout", time.Second, 10*time.Second),
	}
	for _, h := range o.Blocks("custom_header") {
		origin.CustomHeaders = append(origin.CustomHeaders, Header{h.Str("name"), h.Str("value")})
	}
	kinds := []string{"aws_api_gateway_rest_api", "aws_api_gateway_stage"}
	if origin.Bucket {
		kinds = []string{"aws_s3_bucket"}
	}
	target := r.Find(res, origin.DomainName, "origin.domain_name", kinds...)
	if target == nil {
		o.Fail("domain_name %q points at no %s of the plan", origin.DomainName, kinds[0])
		return origin
	}
	if target.Type == "aws_api_gateway_stage" {
		target = r.All("aws_api_gateway_rest_api")[0]
	}
	origin.Target = target.Address
	return origin
}

func (r *reader) behavior(res *tfplan.Resource, b tfplan.Attributes, path string) CacheBehavior {
	return CacheBehavior{
		PathPattern:          b.Str("path_pattern"),
		TargetOriginID:       b.Str("target_origin_id"),
		ViewerProtocolPolicy: b.Str("viewer_protocol_policy"),
		AllowedMethods:       b.Strings("allowed_methods"),
		CachedMethods:        b.Strings("cached_methods"),
		Compress:             b.Flag("compress"),
		CachePolicy:          r.cachePolicy(res, b, path),
		OriginRequestPolicy:  r.originRequestPolicy(res, b, path),
		ResponseHeaders:      r.responseHeadersPolicy(res, b, path),
		Functions:            r.functions(res, b, path),
	}
}

func (r *reader) functions(res *tfplan.Resource, b tfplan.Attributes, path string) []FunctionAssociation {
	var all []FunctionAssociation
	for _, f := range b.Blocks("function_association") {
		found := r.Find(res, f.Str("function_arn"), path+".function_association.function_arn", "aws_cloudfront_function")
		if found == nil {
			f.Fail("function_arn %q points at no aws_cloudfront_function of the plan", f.Str("function_arn"))
			continue
		}
		code := r.Attributes(found)
		all = append(all, FunctionAssociation{
			EventType: f.Str("event_type"),
			Name:      code.Str("name"),
			Runtime:   code.Str("runtime"),
			Code:      code.Str("code"),
		})
	}
	if len(b.Blocks("lambda_function_association")) > 0 {
		b.Fail("lambda_function_association is not understood: use a CloudFront Function")
	}
	return all
}
