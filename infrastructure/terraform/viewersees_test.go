package terraform

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestViewerSees: the viewer notices what would cut it off, and nothing else: an
// integration that no deployment has yet is not live.
func TestViewerSees(t *testing.T) {
	answers := map[string]string{
		"/restapis": `{"id":"api","rootResourceId":"root"}`, "/restapis/api/resources/root": `{"id":"health"}`, "/restapis/api/deployments": `{"id":"d1"}`,
		"/2015-03-31/functions/chat/versions": `{"Version":"1"}`,
		"/2020-05-31/distribution": `<Distribution><Id>E1</Id><DistributionConfig><Aliases><Items><CNAME>chat.test</CNAME></Items></Aliases>` +
			`<Origins><Items><Origin><Id>api</Id><DomainName>api.execute-api.eu-west-1.amazonaws.com</DomainName><OriginPath>/live</OriginPath></Origin></Items></Origins>` +
			`<DefaultCacheBehavior><TargetOriginId>site</TargetOriginId></DefaultCacheBehavior>` +
			`<CacheBehaviors><Items><CacheBehavior><PathPattern>/health</PathPattern><TargetOriginId>api</TargetOriginId></CacheBehavior></Items></CacheBehaviors></DistributionConfig></Distribution>`,
	}
	v := newViewer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(answers[r.URL.Path])) }))
	v.watch("https://chat.test/health")
	do := func(method, path, body, want string) {
		t.Helper()
		v.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, strings.NewReader(body)))
		if got := v.log[len(v.log)-1].Reasons["https://chat.test/health"]; want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("after %s %s a viewer gets %q, not %q", method, path, got, want)
		}
	}
	uri := func(qualifier string) string {
		return `"arn:aws:apigateway:eu-west-1:lambda:path/2021-11-15/functions/arn:aws:lambda:eu-west-1:1:function:chat` + qualifier + `/response-streaming-invocations"`
	}
	permit := func(statement string) string {
		return `{"StatementId":"` + statement + `","SourceArn":"arn:aws:execute-api:eu-west-1:1:api/live/*/*"}`
	}
	const functions, integration = "/2015-03-31/functions", "/restapis/api/resources/health/methods/ANY/integration"
	do("POST", functions, `{"FunctionName":"chat","Code":{"ImageUri":"one"}}`, "no distribution")
	do("POST", "/restapis", `{}`, "no distribution")
	do("POST", "/2020-05-31/distribution", ``, "no stage live")
	do("POST", "/restapis/api/resources/root", `{"pathPart":"health"}`, "no stage live")
	do("PUT", integration, `{"uri":`+uri("")+`}`, "no stage live")
	do("POST", "/restapis/api/deployments", `{}`, "no stage live")
	do("POST", "/restapis/api/stages", `{"stageName":"live","deploymentId":"d1"}`, `may not call ""`)
	do("POST", functions+"/chat/policy", permit("s1"), "")
	do("PATCH", integration, `{"patchOperations":[{"path":"/uri","value":`+uri(":live")+`}]}`, "") // not deployed
	answers["/restapis/api/deployments"] = `{"id":"d2"}`
	do("POST", "/restapis/api/deployments", `{}`, "")
	do("PATCH", "/restapis/api/stages/live", `{"patchOperations":[{"path":"/deploymentId","value":"d2"}]}`, `may not call "live"`)
	do("POST", functions+"/chat/policy?Qualifier=live", permit("s2"), "no alias live")
	do("POST", functions+"/chat/aliases", `{"Name":"live","FunctionVersion":"$LATEST"}`, "")
	do("PUT", functions+"/chat/aliases/live", `{"FunctionVersion":"1"}`, "version 1, which is not there")
	do("POST", functions+"/chat/versions", `{}`, "")
	do("DELETE", functions+"/chat/policy/s1", ``, "")
	do("DELETE", functions+"/chat?Qualifier=1", ``, "version 1, which is not there")
	do("DELETE", "/restapis/api/deployments/d2", ``, "deployment is not there")
}
