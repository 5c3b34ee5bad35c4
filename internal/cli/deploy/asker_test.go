package deploy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/infra"
)

// Before the question a long list is counted by type, so that the price stays on the
// screen; what is replaced is named all the same, and `plan` names everything.
func TestLongPlansAreCounted(t *testing.T) {
	marks := map[infra.Action]string{infra.Create: "+", infra.Replace: "±"}
	var changes []infra.Change
	for n := range 75 {
		changes = append(changes, infra.Change{Address: fmt.Sprintf("aws_s3_object.o[%d]", n), Type: []string{"aws_s3_object", "aws_iam_role"}[n%2], Action: infra.Create})
		changes = append(changes, infra.Change{Address: fmt.Sprintf("aws_lambda_alias.a[%d]", n), Type: "aws_lambda_alias", Action: infra.Replace})
	}
	short := changeLines(changes, marks, longestList)
	if got := short[0]; got != "  + 37 iam_role, 38 s3_object" {
		t.Errorf("what is created reads %q", got)
	}
	if len(short) != 1+75 || !strings.Contains(short[75], "± aws_lambda_alias.a[74]") {
		t.Errorf("%d lines, the last is %q", len(short), short[len(short)-1])
	}
	if long := changeLines(changes, marks, len(changes)); len(long) != 150 {
		t.Errorf("plan has %d lines", len(long))
	}
}
