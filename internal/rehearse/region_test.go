package rehearse_test

import (
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/rehearse"
)

// TestOneRegion: the function's variables, its ARN and the API's name agree.
func TestOneRegion(t *testing.T) {
	for _, region := range []string{"", "ap-south-1"} {
		want := region
		if want == "" {
			want = rehearse.DefaultRegion
		}
		t.Run(want, func(t *testing.T) {
			cfg := clockConfig(t)
			cfg.Region = region
			w := start(t, cfg)
			c := visitor(t)
			for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
				if _, got := get(t, c, w.ViewerURL+"/env/"+name); got != want {
					t.Errorf("%s is %q, want %s", name, got, want)
				}
			}
			if got := w.Lambda.ARN(); !strings.HasPrefix(got, "arn:aws:lambda:"+want+":") {
				t.Errorf("the function is %s, want it in %s", got, want)
			}
			if _, got := get(t, c, w.ViewerURL+"/host"); !strings.HasSuffix(got, ".execute-api."+want+".amazonaws.com") {
				t.Errorf("the API is %s, want it in %s", got, want)
			}
		})
	}
}
