// Package apigateway emulates one deployed stage of an API Gateway REST API
// (v1) in front of a Lambda function. What the function answers is read by package
// response.
//
// It models: the resource tree with {param} and greedy {proxy+}; AWS_PROXY in
// STREAM and BUFFERED transfer mode; MOCK with literal templates; the proxy
// event, payload version 1.0; binary media types; the 10 MB and 10,240 byte
// request limits; integration timeout (29 s by default, 15 min with STREAM) and
// the idle timeout of a stream; 2 MB/s after the first 10 MB; header remapping;
// throttling of the stage by rate and burst; methods that need the one API key, from
// the X-Api-Key header; gateway responses in their default
// form. A failure after the response has begun cuts the connection.
//
// It refuses, at New and with the Terraform address: mapping templates with
// references or directives, integration types other than AWS_PROXY and MOCK,
// timeouts out of range, a function that is not among those of its Config. At run
// time it answers 502 to what package response refuses.
//
// It leaves out: authorizers, several API keys and their quotas, WAF, custom domain
// names, canaries, caching, request validation, customised gateway responses,
// access logs, minimum compression, throttling by method or usage plan.
//
// It cannot know: how API Gateway looks to a client when a stream fails half
// way, the text of some rarely seen errors (431, 400), the spelling of header
// names as the viewer sent them (Go's canonical form is used), and whether a
// resource without methods hides a greedy sibling (here it does).
//
// Sources: API Gateway developer guide, "Set up Lambda proxy integrations",
// "Response streaming", "Important notes" (the table of remapped headers),
// "Gateway response types", "Quotas"; the Lambda developer guide, "Handling
// errors with API Gateway".
package apigateway
