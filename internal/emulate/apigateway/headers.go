package apigateway

import (
	"net/http"
	"strings"

	"github.com/aproorg/sluice/internal/emulate/spelling"
)

// fate is what becomes of a header on its way through API Gateway.
type fate int

const (
	dropped fate = iota + 1
	remapped
)

// The two columns of the table in "Important notes" for Lambda integrations.
// What is not listed passes.
var (
	requestFate = map[string]fate{
		"Connection": dropped, "Content-Md5": dropped, "Expect": dropped, "Max-Forwards": dropped,
		"Proxy-Authenticate": dropped, "Server": dropped, "Te": dropped, "Trailer": dropped,
		"Transfer-Encoding": dropped, "Upgrade": dropped, "Www-Authenticate": dropped,
		"X-Http-Method-Override": dropped, "Keep-Alive": dropped,
		"Content-Length": dropped, // not in the table, but no captured event has it
	}
	responseFate = map[string]fate{
		"Authorization": remapped, "Connection": remapped, "Content-Md5": remapped, "Date": remapped,
		"Max-Forwards": remapped, "Server": remapped, "User-Agent": remapped, "Www-Authenticate": remapped,
		"Expect": dropped, "Host": dropped, "Proxy-Authenticate": dropped, "Te": dropped,
		"Transfer-Encoding": dropped, "Trailer": dropped, "Upgrade": dropped, "Via": dropped,
	}
)

// requestHeaders are the headers of the event: the viewer's as it spelled them, without
// those that are dropped, and what API Gateway writes itself.
func requestHeaders(x *exchange, domainName string) map[string][]string {
	out := make(map[string][]string, len(x.r.Header)+6)
	for name, values := range x.r.Header {
		if requestFate[name] == dropped || name == "Authorization" && signedV4(values[0]) {
			continue
		}
		out[name] = values
	}
	forwarded := strings.Join(append(x.r.Header.Values("X-Forwarded-For"), peer(x.r)), ", ")
	out["Host"] = []string{domainName}
	out["X-Amzn-Trace-Id"] = []string{x.trace}
	out["X-Forwarded-For"] = []string{forwarded}
	out["X-Forwarded-Port"] = []string{"443"}
	out["X-Forwarded-Proto"] = []string{"https"}
	spelling.Of(x.r.Context()).Spell(out, "Host", "User-Agent", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto")
	return out
}

func signedV4(authorization string) bool {
	return strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 ")
}

// responseHeaders sets the function's headers on the way to the client. With
// stream the function's Content-Length stands, for nobody else knows it.
func responseHeaders(to http.Header, from http.Header, status int, stream bool) {
	for name, values := range from {
		switch responseFate[name] {
		case dropped:
		case remapped:
			to["X-Amzn-Remapped-"+name] = values
		default:
			if name == "Content-Length" && !stream {
				to["X-Amzn-Remapped-Content-Length"] = values
				continue
			}
			to[name] = values
		}
	}
	if to.Get("Content-Type") == "" && status != http.StatusNoContent && status != http.StatusNotModified {
		to.Set("Content-Type", "application/json")
	}
}
