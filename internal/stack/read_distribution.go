package stack

import "time"

// distribution reads an aws_cloudfront_distribution with CloudFront's defaults.
func (r *reader) distribution(res *resource) Distribution {
	a := r.attributes(res)
	d := Distribution{
		Address:           res.Address,
		Aliases:           a.strings("aliases"),
		HTTPVersion:       a.str("http_version"),
		DefaultRootObject: a.str("default_root_object"),
	}
	for _, o := range a.blocks("origin") {
		d.Origins = append(d.Origins, r.origin(res, o))
	}
	d.DefaultCacheBehavior = r.behavior(res, a.block("default_cache_behavior"), "default_cache_behavior")
	for _, b := range a.blocks("ordered_cache_behavior") {
		d.OrderedCacheBehaviors = append(d.OrderedCacheBehaviors, r.behavior(res, b, "ordered_cache_behavior"))
	}
	for _, e := range a.blocks("custom_error_response") {
		d.CustomErrorResponses = append(d.CustomErrorResponses, CustomErrorResponse{
			ErrorCode:          e.number("error_code", 0),
			ResponseCode:       e.number("response_code", 0),
			ResponsePagePath:   e.str("response_page_path"),
			ErrorCachingMinTTL: e.duration("error_caching_min_ttl", time.Second, 10*time.Second),
		})
	}
	return d
}

func (r *reader) origin(res *resource, o attributes) Origin {
	custom := o.block("custom_origin_config")
	origin := Origin{
		OriginID:           o.str("origin_id"),
		OriginPath:         o.str("origin_path"),
		DomainName:         o.str("domain_name"),
		Bucket:             custom.values == nil,
		ReadTimeout:        custom.duration("origin_read_timeout", time.Second, 30*time.Second),
		KeepaliveTimeout:   custom.duration("origin_keepalive_timeout", time.Second, 5*time.Second),
		ConnectionAttempts: o.number("connection_attempts", 3),
		ConnectionTimeout:  o.duration("connection_timeout", time.Second, 10*time.Second),
	}
	for _, h := range o.blocks("custom_header") {
		origin.CustomHeaders = append(origin.CustomHeaders, Header{h.str("name"), h.str("value")})
	}
	kinds := []string{"aws_api_gateway_rest_api", "aws_api_gateway_stage"}
	if origin.Bucket {
		kinds = []string{"aws_s3_bucket"}
	}
	target := r.find(res, origin.DomainName, "origin.domain_name", kinds...)
	if target == nil {
		o.fail("domain_name %q points at no %s of the plan", origin.DomainName, kinds[0])
		return origin
	}
	if target.Type == "aws_api_gateway_stage" {
		target = r.all("aws_api_gateway_rest_api")[0]
	}
	origin.Target = target.Address
	return origin
}

func (r *reader) behavior(res *resource, b attributes, path string) CacheBehavior {
	return CacheBehavior{
		PathPattern:          b.str("path_pattern"),
		TargetOriginID:       b.str("target_origin_id"),
		ViewerProtocolPolicy: b.str("viewer_protocol_policy"),
		AllowedMethods:       b.strings("allowed_methods"),
		CachedMethods:        b.strings("cached_methods"),
		Compress:             b.flag("compress"),
		CachePolicy:          r.cachePolicy(res, b, path),
		OriginRequestPolicy:  r.originRequestPolicy(res, b, path),
		ResponseHeaders:      r.responseHeadersPolicy(res, b, path),
		Functions:            r.functions(res, b, path),
	}
}

func (r *reader) functions(res *resource, b attributes, path string) []FunctionAssociation {
	var all []FunctionAssociation
	for _, f := range b.blocks("function_association") {
		found := r.find(res, f.str("function_arn"), path+".function_association.function_arn", "aws_cloudfront_function")
		if found == nil {
			f.fail("function_arn %q points at no aws_cloudfront_function of the plan", f.str("function_arn"))
			continue
		}
		code := r.attributes(found)
		all = append(all, FunctionAssociation{
			EventType: f.str("event_type"),
			Name:      code.str("name"),
			Runtime:   code.str("runtime"),
			Code:      code.str("code"),
		})
	}
	if len(b.blocks("lambda_function_association")) > 0 {
		b.fail("lambda_function_association is not understood: use a CloudFront Function")
	}
	return all
}
