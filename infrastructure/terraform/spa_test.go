package terraform

import (
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// TestSPA runs the viewer-request function as CloudFront would: on an event whose
// uri is as the viewer sent it, not decoded, and without the query string.
func TestSPA(t *testing.T) {
	code, err := Files.ReadFile("modules/frontend/functions/spa.js")
	if err != nil {
		t.Fatal(err)
	}
	if len(code) > 10*1024 {
		t.Errorf("%d bytes: CloudFront takes 10 KB", len(code))
	}
	vm := goja.New()
	refusing := strings.Replace(string(code), "REFUSED = []", `REFUSED = ["/livez","/metrics","/readyz"]`, 1) // as the module does
	if _, err := vm.RunScript("spa.js", refusing); err != nil {
		t.Fatal(err)
	}
	handler, ok := goja.AssertFunction(vm.Get("handler"))
	if !ok {
		t.Fatal("there is no function handler")
	}
	const page = "/index.html"
	for _, c := range []struct{ name, uri, want string }{
		{"root", "/", page},
		{"page itself", "/index.html", "/index.html"},
		{"script", "/assets/index.Ab12_-9z.js", "/assets/index.Ab12_-9z.js"},
		{"style", "/assets/index.Ab12.css", "/assets/index.Ab12.css"},
		{"font", "/assets/fonts/Inter.woff2", "/assets/fonts/Inter.woff2"},
		{"asset without an extension", "/assets/LICENSE", "/assets/LICENSE"},
		{"service worker", "/sw.js", "/sw.js"},
		{"manifest", "/manifest.webmanifest", "/manifest.webmanifest"},
		{"robots", "/robots.txt", "/robots.txt"},
		{"upper-case extension", "/LOGO.PNG", "/LOGO.PNG"},
		{"route", "/login", page},
		{"deep route", "/c/5f0c1d2e-0000-4000-8000-000000000000", page},
		{"deeper route", "/d/prompts/new/1/2/3", page},
		{"dot in a route", "/c/gpt-4.1", page},
		{"dots in a route", "/search/v1.2.3", page},
		{"domain in a route", "/share/example.com", page},
		{"mail address in a route", "/invite/ann@example.org", page},
		{"leading dot", "/.well-known/openid", page},
		{"name that is only an extension's", "/js", page},
		{"trailing slash", "/c/new/", page},
		{"trailing slash after a dot", "/c/gpt-4.1/", page},
		{"trailing slash after a file's name", "/sw.js/", page},
		{"folder of assets", "/assets/", page},
		{"assets without a slash", "/assets", page},
		{"route that begins like assets", "/assetsearch", page},
		{"double slash", "//login", page},
		{"encoded space in a file", "/assets/my%20logo.svg", "/assets/my%20logo.svg"},
		{"encoded dot of a file", "/logo%2Epng", "/logo%2Epng"},
		{"encoded slash in a route", "/c/a%2Fb", page},
		{"encoded slash in a file", "/icons%2Fa.png", "/icons%2Fa.png"},
		{"encoded letters", "/leit/%C3%BE%C3%A6tti", page},
		{"letters", "/leit/þætti", page},
		{"lone percent in a route", "/c/100%", page},
		{"lone percent in a file", "/100%.png", "/100%.png"},
		{"half a character", "/c/%C3", page},
		{"dot segments", "/assets/../login", "/assets/../login"},
		{"route below a refused path", "/metrics/today", page},
		{"route that begins like a refused path", "/livezone", page},
		{"refused", "/metrics", ""},
		{"refused, encoded", "/%72eadyz", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			query := map[string]any{"next": map[string]any{"value": "/a.js"}}
			request := map[string]any{"method": "GET", "uri": c.uri, "querystring": query, "headers": map[string]any{}, "cookies": map[string]any{}}
			event := map[string]any{"version": "1.0", "context": map[string]any{"eventType": "viewer-request"}, "request": request}
			out, err := handler(goja.Undefined(), vm.ToValue(event))
			if err != nil {
				t.Fatal(err)
			}
			got := out.Export().(map[string]any)
			if c.want == "" {
				if got["statusCode"] != int64(404) {
					t.Errorf("%s is not refused: %v", c.uri, got)
				}
				return
			}
			if got["uri"] != c.want {
				t.Errorf("%s became %v, want %s", c.uri, got["uri"], c.want)
			}
			if q, ok := got["querystring"].(map[string]any); !ok || q["next"] == nil {
				t.Errorf("the query string became %v", got["querystring"])
			}
			if got["method"] != "GET" || got["headers"] == nil {
				t.Errorf("the request lost parts: %v", got)
			}
		})
	}
}
