// Package proxyevent is the bootstrap's reading of the events that AWS gateways send to a function, and of the answers
// that they take: an event becomes a Request for the app, an answer's head becomes the metadata before a streamed body
// (the prelude) or, for gateways that do not stream, one JSON document.
//
// It knows REST APIs (payload 1.0), HTTP APIs (1.0 and 2.0), function URLs and load balancers. Any other event is left as it is.
//
// Paths are passed on byte for byte, for REST APIs, function URLs and load balancers give them as the client sent them.
// HTTP APIs give them decoded, and what they decoded cannot be known; only bytes that may not stand in a request line are
// encoded. Query values come decoded from REST APIs and are encoded again, in the order of the event's JSON.
//
// aws-lambda-go's event types are not used here, for maps lose the order of parameters and a 6 MB body would be held three times; the
// tests read the same vectors through them.
//
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html,
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html,
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html and
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
package proxyevent
