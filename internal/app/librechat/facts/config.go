package facts

import (
	"fmt"
	"net/url"
	"strings"
)

// The stub model's names in a rehearsal.
const (
	StubEndpoint = "Rehearsal"
	StubModel    = "rehearsal"
)

// RehearsalConfig returns a librechat.yaml with one custom endpoint: an
// OpenAI-compatible model at baseURL ("http://127.0.0.1:PORT/v1"). With s3,
// files go to the bucket of the environment.
func RehearsalConfig(baseURL string, s3 bool) ([]byte, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || strings.ContainsAny(baseURL, "\"\n\\") {
		return nil, fmt.Errorf("model's base URL %q is not a URL such as http://127.0.0.1:8000/v1", baseURL)
	}
	var b strings.Builder
	b.WriteString("# A rehearsal's librechat.yaml: a stub language model, and no providers.\nversion: 1.2.1\ncache: true\n")
	if s3 {
		b.WriteString("fileStrategy: \"s3\"\n")
	}
	fmt.Fprintf(&b, `fileConfig:
  avatarSizeLimit: 10 # MB; LibreChat's own is 2
endpoints:
  custom:
    - name: "%[1]s"
      apiKey: "none"
      baseURL: "%[2]s"
      models:
        default: ["%[3]s"]
        fetch: false
      titleConvo: true
      titleModel: "%[3]s"
      titleMethod: "completion"
      modelDisplayLabel: "%[1]s"
`, StubEndpoint, baseURL, StubModel)
	return []byte(b.String()), nil
}
