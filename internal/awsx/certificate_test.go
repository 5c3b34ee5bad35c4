package awsx

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/hint"
)

// issued is a certificate as ACM keeps it.
type issued struct {
	id, status, key string
	names           []string
	from, until     time.Duration // from now
}

func (c issued) arn() string { return certificateARN(c.id) }

func certificateARN(id string) string {
	return "arn:aws:acm:us-east-1:123456789012:certificate/" + id
}

// acmServer answers for certificates in pages of two, as ACM does: a list that names no
// key types has RSA up to 2048 alone, a summary has the first names only, and a detail
// spells the key with a hyphen. https://docs.aws.amazon.com/acm/latest/APIReference/API_Filters.html
func acmServer(t *testing.T, certificates []issued) *Config {
	t.Helper()
	const namesOfSummary = 2 // ACM has 100
	detail := func(c issued) map[string]any {
		return map[string]any{"CertificateArn": c.arn(), "DomainName": c.names[0], "Status": c.status, "KeyAlgorithm": c.key,
			"NotBefore": time.Now().Add(c.from).Unix(), "NotAfter": time.Now().Add(c.until).Unix()}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/acm/") {
			t.Errorf("signed for another region: %s", r.Header.Get("Authorization"))
		}
		var input struct {
			CertificateArn string
			NextToken      string
			Includes       struct {
				KeyTypes []string `json:"keyTypes"`
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&input); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if r.Header.Get("X-Amz-Target") == "CertificateManager.DescribeCertificate" {
			n := slices.IndexFunc(certificates, func(c issued) bool { return c.arn() == input.CertificateArn })
			if n < 0 {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"__type":"ResourceNotFoundException","message":"Could not find certificate"}`)
				return
			}
			d := detail(certificates[n])
			d["SubjectAlternativeNames"], d["KeyAlgorithm"] = certificates[n].names, strings.Replace(certificates[n].key, "_", "-", 1)
			_ = json.NewEncoder(w).Encode(map[string]any{"Certificate": d})
			return
		}
		if input.Includes.KeyTypes == nil {
			input.Includes.KeyTypes = []string{"RSA_1024", "RSA_2048"}
		}
		first := 0
		_, _ = fmt.Sscan(input.NextToken, &first)
		answer, page := map[string]any{}, []any{}
		for n := first; n < len(certificates); n++ {
			if n == first+2 {
				answer["NextToken"] = fmt.Sprint(n)
				break
			}
			c := certificates[n]
			if !slices.Contains(input.Includes.KeyTypes, c.key) {
				continue
			}
			d := detail(c)
			d["SubjectAlternativeNameSummaries"], d["HasAdditionalSubjectAlternativeNames"] = c.names[:min(len(c.names), namesOfSummary)], len(c.names) > namesOfSummary
			page = append(page, d)
		}
		answer["CertificateSummaryList"] = page
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	config, err := Load(t.Context(), Settings{Region: "eu-west-1", Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestDomainCertificate(t *testing.T) {
	const month = 30 * 24 * time.Hour
	config := acmServer(t, []issued{
		{"wildcard", "ISSUED", "EC_prime256v1", []string{"*.example.com"}, -month, month},
		{"apex", "ISSUED", "RSA_2048", []string{"example.com", "www.example.com"}, -month, month},
		{"old", "ISSUED", "RSA_2048", []string{"twice.example.net"}, -month, month},
		{"new", "ISSUED", "RSA_4096", []string{"twice.example.net"}, -month, 2 * month},
		{"beside", "ISSUED", "RSA_3072", []string{"main.example.org", "b.example.org", "c.example.org", "Late.Example.org", "*.deep.example.org"}, -month, month},
		{"expired", "EXPIRED", "RSA_2048", []string{"expired.test"}, -2 * month, -month},
		{"pending", "PENDING_VALIDATION", "RSA_2048", []string{"pending.test"}, -month, month},
		{"revoked", "REVOKED", "RSA_2048", []string{"revoked.test"}, -month, month},
		{"early", "ISSUED", "RSA_2048", []string{"early.test"}, month, 2 * month},
		{"p384", "ISSUED", "EC_secp384r1", []string{"p384.test"}, -month, month},
		{"overdue", "ISSUED", "RSA_2048", []string{"overdue.test"}, -2 * month, -month},
		{"replaced", "ISSUED", "RSA_2048", []string{"overdue.test"}, -month, month},
	})
	for _, c := range []struct{ domain, named, want, fails string }{
		{"chat.example.com", "", "wildcard", ""},
		{"www.example.com", certificateARN("wildcard"), "wildcard", ""},
		{"example.com", "", "apex", ""},
		{"a.b.example.com", "", "", "no certificate of us-east-1 covers a.b.example.com"},
		{"example.com", certificateARN("wildcard"), "", "is for *.example.com, which does not cover example.com"},
		{"a.b.example.com", certificateARN("wildcard"), "", "does not cover a.b.example.com"},
		{"twice.example.net", "", "new", ""},
		{"twice.example.net", certificateARN("old"), "old", ""},
		{"late.example.org", "", "beside", ""},
		{"late.example.org", certificateARN("beside"), "beside", ""},
		{"x.deep.example.org", "", "beside", ""},
		{"overdue.test", "", "replaced", ""},
		{"overdue.test", certificateARN("overdue"), "", "expired on "},
		{"expired.test", "", "", "that covers expired.test can be used: " + certificateARN("expired") + " expired on "},
		{"pending.test", "", "", "add the records that ACM names"},
		{"pending.test", certificateARN("pending"), "", "PENDING_VALIDATION"},
		{"revoked.test", "", "", "is not issued (REVOKED)"},
		{"early.test", "", "", "and not yet"},
		{"p384.test", "", "", "has a key of EC_secp384r1, and CloudFront takes RSA_1024,"},
		{"p384.test", certificateARN("p384"), "", "has a key of EC_secp384r1"},
		{"nowhere.test", "", "", "request one for it in ACM of us-east-1"},
		{"chat.example.com", certificateARN("missing"), "", "this account has no certificate"},
		{"chat.example.com", "arn:aws:acm:eu-west-1:123456789012:certificate/x", "", "is a certificate of eu-west-1"},
		{"chat.example.com", "wildcard", "", "is not the ARN of a certificate"},
	} {
		got, err := config.DomainCertificate(t.Context(), c.domain, c.named)
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(hint.Text(err), c.fails)):
			t.Errorf("%s by %q: %s, %v, want an error with %q", c.domain, c.named, got, err, c.fails)
		case c.fails == "" && (err != nil || got != certificateARN(c.want)):
			t.Errorf("%s by %q: %s, %v, want %s", c.domain, c.named, got, err, c.want)
		}
	}
}
