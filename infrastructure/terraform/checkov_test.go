package terraform

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"testing"
)

// TestCheckov: every finding of the scanner is mended, or answered beside the
// resource with the reason.
func TestCheckov(t *testing.T) {
	if _, err := exec.LookPath("checkov"); err != nil {
		t.Skip("no checkov: pip install checkov && go test -run TestCheckov ./infrastructure/terraform/")
	}
	out, err := exec.CommandContext(t.Context(), "checkov", "--framework", "terraform", "--skip-download", "--quiet", "--compact", "--soft-fail",
		"--output", "json", "--directory", ".", "--skip-path", "testdata").Output()
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Summary struct{ Passed, Failed, Skipped int }
		Results struct {
			Failed []struct {
				ID       string `json:"check_id"`
				Name     string `json:"check_name"`
				Resource string
			} `json:"failed_checks"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range report.Results.Failed {
		t.Errorf("%s: %s: %s", f.Resource, f.ID, f.Name)
	}
	t.Logf("%d passed, %d answered", report.Summary.Passed, report.Summary.Skipped)
	if report.Summary.Passed < 30 {
		t.Errorf("only %d checks passed: did it find the HCL?\n%s", report.Summary.Passed, out)
	}
}

var skipped = regexp.MustCompile(`#checkov:skip=(CKV\w+):(.*)`)

// TestAnswers: an answer to a finding names it and gives a reason.
func TestAnswers(t *testing.T) {
	n := 0
	for _, m := range modules(t) {
		for name, data := range m.source {
			for _, found := range skipped.FindAllSubmatch(data, -1) {
				n++
				if len(found[2]) < 20 {
					t.Errorf("%s: %s is skipped for the reason %q", name, found[1], found[2])
				}
			}
		}
	}
	t.Logf("%d findings are answered", n)
}
