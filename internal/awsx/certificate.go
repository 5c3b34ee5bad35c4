package awsx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"

	"github.com/aproorg/sluice/internal/hint"
)

// cloudFrontRegion is the one region whose certificates CloudFront reads.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
const cloudFrontRegion = "us-east-1"

// cloudFrontKeys are the keys of certificates that CloudFront takes, by the same page.
var cloudFrontKeys = []types.KeyAlgorithm{
	types.KeyAlgorithmRsa1024, types.KeyAlgorithmRsa2048, types.KeyAlgorithmRsa3072, types.KeyAlgorithmRsa4096, types.KeyAlgorithmEcPrime256v1,
}

// certificate is one of ACM, with what decides whether CloudFront serves a domain by it.
type certificate struct {
	arn       string
	names     []string
	more      bool // names does not have all
	status    types.CertificateStatus
	key       types.KeyAlgorithm
	notBefore time.Time
	notAfter  time.Time
}

// DomainCertificate returns the ARN of a certificate by which CloudFront can serve the
// domain: the one named, once it is known to do, or where that is empty the one of the
// account that expires last. It fails with what is wrong, as long as nothing is made.
func (c *Config) DomainCertificate(ctx context.Context, domain, named string) (string, error) {
	client := acm.NewFromConfig(c.sdk, func(o *acm.Options) { o.Region = cloudFrontRegion })
	if named != "" {
		return named, checkNamed(ctx, client, domain, named)
	}
	covering, err := coveringCertificates(ctx, client, domain)
	if err != nil {
		return "", err
	}
	var reasons []string
	now := time.Now()
	for _, found := range covering { // what expires last comes first
		if reason := found.unfit(now); reason != "" {
			reasons = append(reasons, fmt.Sprintf("%s %s", found.arn, reason))
			continue
		}
		return found.arn, nil
	}
	err = fmt.Errorf("no certificate of %s covers %s", cloudFrontRegion, domain)
	if len(reasons) > 0 {
		err = fmt.Errorf("no certificate of %s that covers %s can be used: %s", cloudFrontRegion, domain, strings.Join(reasons, "; "))
	}
	return "", hint.With(err, "request one for it in ACM of %s, the one region where CloudFront reads them, and validate it", cloudFrontRegion)
}

// checkNamed says why CloudFront cannot serve the domain by the certificate.
func checkNamed(ctx context.Context, client *acm.Client, domain, named string) error {
	parsed, err := arn.Parse(named)
	if err != nil || parsed.Service != "acm" {
		return fmt.Errorf("%s is not the ARN of a certificate of ACM", named)
	}
	if parsed.Region != cloudFrontRegion {
		return hint.With(fmt.Errorf("%s is a certificate of %s, and CloudFront reads those of %s alone", named, parsed.Region, cloudFrontRegion),
			"request or import it there and give that ARN")
	}
	found, err := describe(ctx, client, named)
	var none *types.ResourceNotFoundException
	if errors.As(err, &none) {
		return hint.With(fmt.Errorf("this account has no certificate %s", named), "check the ARN, and whose credentials these are; without an ARN it is found by the domain")
	}
	if err != nil {
		return err
	}
	if !found.covers(domain) {
		return hint.With(fmt.Errorf("%s is for %s, which does not cover %s", named, strings.Join(found.names, ", "), domain),
			"a wildcard covers one label: *.example.com is for chat.example.com, and neither for example.com nor for a.b.example.com")
	}
	if reason := found.unfit(time.Now()); reason != "" {
		return fmt.Errorf("%s %s", named, reason)
	}
	return nil
}

// coveringCertificates are those for the domain, of any status and key, the one that
// expires last before the others.
func coveringCertificates(ctx context.Context, client *acm.Client, domain string) ([]certificate, error) {
	var covering []certificate
	pages := acm.NewListCertificatesPaginator(client, &acm.ListCertificatesInput{
		Includes: &types.Filters{KeyTypes: types.KeyAlgorithm("").Values()}, // by default ACM lists RSA up to 2048 alone
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the certificates of %s: %w", cloudFrontRegion, explain(err))
		}
		for _, s := range page.CertificateSummaryList {
			found := summary(s)
			if !found.covers(domain) && found.more {
				if found, err = describe(ctx, client, found.arn); err != nil {
					return nil, err
				}
			}
			if found.covers(domain) {
				covering = append(covering, found)
			}
		}
	}
	slices.SortFunc(covering, func(a, b certificate) int {
		if last := b.notAfter.Compare(a.notAfter); last != 0 {
			return last
		}
		return strings.Compare(a.arn, b.arn)
	})
	return covering, nil
}

// summary is a certificate of a list. A list without names is an emulator's.
func summary(s types.CertificateSummary) certificate {
	return certificate{
		arn: aws.ToString(s.CertificateArn), names: append(s.SubjectAlternativeNameSummaries, aws.ToString(s.DomainName)),
		more:   aws.ToBool(s.HasAdditionalSubjectAlternativeNames) || len(s.SubjectAlternativeNameSummaries) == 0,
		status: s.Status, key: s.KeyAlgorithm, notBefore: aws.ToTime(s.NotBefore), notAfter: aws.ToTime(s.NotAfter),
	}
}

func describe(ctx context.Context, client *acm.Client, named string) (certificate, error) {
	answer, err := client.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &named})
	if err != nil {
		return certificate{}, fmt.Errorf("read certificate %s: %w", named, explain(err))
	}
	d := answer.Certificate
	found := certificate{arn: named, names: d.SubjectAlternativeNames, status: d.Status, key: d.KeyAlgorithm, notBefore: aws.ToTime(d.NotBefore), notAfter: aws.ToTime(d.NotAfter)}
	if name := aws.ToString(d.DomainName); !slices.Contains(found.names, name) {
		found.names = append(found.names, name)
	}
	return found, nil
}

// covers tells whether the domain is one of the names. A wildcard stands for one label,
// the first (RFC 9525, 6.3).
func (c certificate) covers(domain string) bool {
	_, parent, _ := strings.Cut(domain, ".")
	return slices.ContainsFunc(c.names, func(name string) bool {
		return strings.EqualFold(name, domain) || strings.EqualFold(name, "*."+parent)
	})
}

// unfit says why CloudFront does not take the certificate; empty is that it does.
func (c certificate) unfit(now time.Time) string {
	key := types.KeyAlgorithm(strings.ReplaceAll(string(c.key), "-", "_")) // ACM spells RSA-2048 and RSA_2048
	switch {
	case c.status == types.CertificateStatusPendingValidation:
		return "is not issued yet (PENDING_VALIDATION): add the records that ACM names for it to the domain's zone, and wait until it is"
	case !c.notAfter.IsZero() && !now.Before(c.notAfter):
		return "expired on " + c.notAfter.UTC().Format(time.DateOnly)
	case c.status != types.CertificateStatusIssued:
		return fmt.Sprintf("is not issued (%s)", c.status)
	case now.Before(c.notBefore):
		return "is valid from " + c.notBefore.UTC().Format(time.DateTime) + " UTC on, and not yet"
	case !slices.Contains(cloudFrontKeys, key):
		return fmt.Sprintf("has a key of %s, and CloudFront takes %s alone", key, strings.Join(keyNames(), ", "))
	}
	return ""
}

func keyNames() (names []string) {
	for _, key := range cloudFrontKeys {
		names = append(names, string(key))
	}
	return names
}
