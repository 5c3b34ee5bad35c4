package emulatetest

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/aproorg/sluice/internal/awsx/mototest"
	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/testdeps"
)

// startBuckets is an S3 with the bucket "bucket".
func startBuckets(t *testing.T) (*s3.Store, sigv4.Key, string) {
	t.Helper()
	store, err := s3.New(s3.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	store.Bucket("bucket")
	key := sigv4.NewTemporaryKey()
	server := httptest.NewServer(store.API(key))
	t.Cleanup(server.Close)
	return store, key, server.URL
}

// asked is what a program in another language has to say of an S3: names and results.
func asked(t *testing.T, cmd *exec.Cmd, key sigv4.Key, url string) map[string]string {
	t.Helper()
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+key.ID, "AWS_SECRET_ACCESS_KEY="+key.Secret, "AWS_SESSION_TOKEN="+key.Token, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL="+url)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, failed.String())
	}
	var results map[string]string
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return results
}

// botocore asks for what S3 refuses, in ways that a client can tell.
const botocore = `
import boto3, json, os, urllib.request, urllib.error
from botocore.config import Config
from botocore.exceptions import ClientError
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))
results, B = {}, "bucket"
def step(name, call, *show):
    try:
        out = call()
        results[name] = "ok" + "".join(" " + str(out.get(x)) for x in show)
        return out
    except ClientError as e:
        results[name] = "%s %s" % (e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"])
def cors(**rule): return lambda: s3.put_bucket_cors(Bucket=B, CORSConfiguration={"CORSRules": [rule]})
def life(*rules): return lambda: s3.put_bucket_lifecycle_configuration(Bucket=B, LifecycleConfiguration={"Rules": list(rules)})
day = dict(ID="a", Status="Enabled", Filter={"Prefix": "staging/"}, Expiration={"Days": 1})
step("no cors", lambda: s3.get_bucket_cors(Bucket=B))
step("cors method", cors(AllowedOrigins=["*"], AllowedMethods=["PATCH"]))
step("cors", cors(AllowedOrigins=["https://a.example"], AllowedMethods=["PUT"], AllowedHeaders=["*"], ExposeHeaders=["ETag"], MaxAgeSeconds=5))
step("cors is there", lambda: s3.get_bucket_cors(Bucket=B), "CORSRules")
step("cors away", lambda: s3.delete_bucket_cors(Bucket=B))
step("no lifecycle", lambda: s3.get_bucket_lifecycle_configuration(Bucket=B))
step("lifecycle without a filter", life({"ID": "a", "Status": "Enabled", "Expiration": {"Days": 1}}))
step("lifecycle", life(day))
step("lifecycle is there", lambda: s3.get_bucket_lifecycle_configuration(Bucket=B), "Rules")
step("put", lambda: s3.put_object(Bucket=B, Key="k", Body=b"x"), "ETag")
step("put once", lambda: s3.put_object(Bucket=B, Key="k", Body=b"x", IfNoneMatch="*"))
step("put over another", lambda: s3.put_object(Bucket=B, Key="k", Body=b"x", IfMatch='"y"'))
step("put over none", lambda: s3.put_object(Bucket=B, Key="none", Body=b"x", IfMatch='"y"'))
step("digest", lambda: s3.put_object(Bucket=B, Key="k", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA=="))
step("checksum", lambda: s3.put_object(Bucket=B, Key="k", Body=b"x", ChecksumSHA256="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
up = s3.create_multipart_upload(Bucket=B, Key="m")["UploadId"]
one = step("part", lambda: s3.upload_part(Bucket=B, Key="m", UploadId=up, PartNumber=1, Body=b"test"), "ETag")
two = step("second part", lambda: s3.upload_part(Bucket=B, Key="m", UploadId=up, PartNumber=2, Body=b"test"), "ETag")
def complete(*parts): return lambda: s3.complete_multipart_upload(Bucket=B, Key="m", UploadId=up, MultipartUpload={"Parts": list(parts)})
p1, p2 = {"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 2, "ETag": two["ETag"]}
step("too small", complete(p1, p2))
step("order", complete(p2, p1))
step("another tag", complete({"PartNumber": 1, "ETag": '"y"'}))
step("no such part", complete({"PartNumber": 9, "ETag": one["ETag"]}))
step("complete", complete(p1), "ETag")
step("other upload", lambda: s3.upload_part(Bucket=B, Key="m", UploadId="other", PartNumber=1, Body=b"x"))
step("abort other", lambda: s3.abort_multipart_upload(Bucket=B, Key="m", UploadId="other"))
step("range", lambda: s3.get_object(Bucket=B, Key="k", Range="bytes=7-"))
step("if match", lambda: s3.get_object(Bucket=B, Key="k", IfMatch='"y"'))
step("no key", lambda: s3.get_object(Bucket=B, Key="none"))
step("no bucket", lambda: s3.get_object(Bucket="other-bucket", Key="none"))
def http(name, url, method="GET", body=None, headers={}):
    try: results[name] = str(urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)).status)
    except urllib.error.HTTPError as e: results[name] = "%s %s" % (e.code, e.read().decode().partition("<Code>")[2].partition("</Code>")[0])
def signed(op, **p): return s3.generate_presigned_url(op, Params=dict(Bucket=B, **p), ExpiresIn=60)
http("presigned put", signed("put_object", Key="p", ContentType="text/plain"), "PUT", b"hello", {"Content-Type": "text/plain"})
http("presigned put, another type", signed("put_object", Key="p", ContentType="text/plain"), "PUT", b"hello", {"Content-Type": "text/html"})
http("presigned get", signed("get_object", Key="p"))
http("presigned get, altered", signed("get_object", Key="p").replace("/p?", "/k?"))
http("unsigned", os.environ["AWS_ENDPOINT_URL"] + "/bucket/p")
print(json.dumps(results))
`

// TestBotocoreAgainstMoto holds results by boto3 against moto's, an independent reading of S3. Where they differ the reason stands here.
func TestBotocoreAgainstMoto(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not here: pip install boto3")
	}
	_, key, url := startBuckets(t)
	ours := asked(t, exec.CommandContext(t.Context(), python, "-c", botocore), key, url)
	t.Run("moto", func(t *testing.T) {
		moto := mototest.Start(t)
		moto.CreateBucket(t, "bucket")
		theirs := asked(t, exec.CommandContext(t.Context(), python, "-c", botocore), sigv4.Key{ID: "test", Secret: "test", Token: "test"}, moto.URL)
		differs := map[string]string{
			// moto checks no signature, digest or checksum; S3's codes are recorded in localstack's test_s3.snapshot.json.
			"checksum": "400 BadDigest", "digest": "400 BadDigest", "presigned get, altered": "403 SignatureDoesNotMatch", "presigned put, another type": "403 SignatureDoesNotMatch",
			"unsigned":     "403 AccessDenied",     // moto's has no code
			"order":        "400 InvalidPartOrder", // moto looks at the sizes first; recorded: test_complete_multipart_parts_order
			"other upload": "404 NoSuchUpload",     // moto breaks; recorded: test_multipart_no_such_upload
		}
		for _, name := range slices.Sorted(maps.Keys(ours)) {
			want, ok := differs[name]
			if !ok {
				want = theirs[name]
			}
			if ours[name] != want {
				t.Errorf("%s: %s, want %s; moto %s", name, ours[name], want, theirs[name])
			}
		}
	})
}

// javascript is the SDK for JavaScript, as LibreChat has it.
const javascript = `
const { S3Client, PutObjectCommand, GetObjectCommand, HeadObjectCommand, CreateMultipartUploadCommand, UploadPartCommand, CompleteMultipartUploadCommand } = require("@aws-sdk/client-s3");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");
const { Readable } = require("stream");
const s3 = new S3Client({ forcePathStyle: true, maxAttempts: 1 });
const B = { Bucket: "bucket" }, results = {};
const step = async (name, call) => { try { results[name] = String(await call()); } catch (e) { results[name] = e.name; } };
const code = async (res) => res.status + (res.ok ? "" : " " + /<Code>(\w+)/.exec(await res.text())[1]);
(async () => {
	await step("put", async () => (await s3.send(new PutObjectCommand({ ...B, Key: "é b+c", Body: "hello", Metadata: { a: "b" } }))).ETag);
	await step("put once", async () => { await s3.send(new PutObjectCommand({ ...B, Key: "é b+c", Body: "hello", IfNoneMatch: "*" })); });
	await step("put a stream", async () => (await s3.send(new PutObjectCommand({ ...B, Key: "stream", Body: Readable.from(["hel", "lo"]), ContentLength: 5 }))).ETag);
	await step("get", async () => (await s3.send(new GetObjectCommand({ ...B, Key: "é b+c" }))).Body.transformToString());
	const url = await getSignedUrl(s3, new PutObjectCommand({ ...B, Key: "signed", Metadata: { ticket: "7" } }), { expiresIn: 60 });
	await step("presigned put", async () => code(await fetch(url, { method: "PUT", body: "hello" })));
	await step("its metadata", async () => (await s3.send(new HeadObjectCommand({ ...B, Key: "signed" }))).Metadata.ticket);
	await step("presigned put, altered", async () => code(await fetch(url.replace("/signed?", "/other?"), { method: "PUT", body: "hello" })));
	const get = await getSignedUrl(s3, new GetObjectCommand({ ...B, Key: "signed", ResponseContentDisposition: "attachment; filename=\"a b\"" }));
	await step("presigned get", async () => { const res = await fetch(get); return await res.text() + " " + res.headers.get("content-disposition"); });
	const up = await s3.send(new CreateMultipartUploadCommand({ ...B, Key: "parts" }));
	const part = await getSignedUrl(s3, new UploadPartCommand({ ...B, Key: "parts", UploadId: up.UploadId, PartNumber: 1 }));
	let tag;
	await step("presigned part", async () => { const res = await fetch(part, { method: "PUT", body: "hello" }); tag = res.headers.get("etag"); return code(res); });
	await step("complete", async () => (await s3.send(new CompleteMultipartUploadCommand({ ...B, Key: "parts", UploadId: up.UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag: tag }] } }))).ETag);
	await step("get parts", async () => (await s3.send(new GetObjectCommand({ ...B, Key: "parts" }))).Body.transformToString());
	console.log(JSON.stringify(results));
})();
`

// TestSignedByJavaScript is for the releases of SLUICE_LIBRECHAT_DIR, which bring Amazon's SDK.
func TestSignedByJavaScript(t *testing.T) {
	ran := false
	for _, dir := range filepath.SplitList(os.Getenv("SLUICE_LIBRECHAT_DIR")) {
		modules := filepath.Join(dir, "node_modules")
		if _, err := os.Stat(filepath.Join(modules, "@aws-sdk/s3-request-presigner")); err != nil {
			continue
		}
		ran = true
		t.Run(filepath.Base(dir), func(t *testing.T) {
			_, key, url := startBuckets(t)
			script := filepath.Join(t.TempDir(), "judge.cjs")
			if err := os.WriteFile(script, []byte(javascript), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(modules, filepath.Join(filepath.Dir(script), "node_modules")); err != nil {
				t.Fatal(err)
			}
			sum := md5.Sum([]byte("hello"))
			tag, whole := fmt.Sprintf(`"%x"`, sum), fmt.Sprintf(`"%x-1"`, md5.Sum(sum[:]))
			want := map[string]string{"put": tag, "put once": "PreconditionFailed", "put a stream": tag, "get": "hello", "presigned put": "200", "its metadata": "7", "presigned put, altered": "403 SignatureDoesNotMatch",
				"presigned get": `hello attachment; filename="a b"`, "presigned part": "200", "complete": whole, "get parts": "hello"}
			got := asked(t, exec.CommandContext(t.Context(), testdeps.Node(t), "--preserve-symlinks", "--preserve-symlinks-main", script), key, url)
			for name := range want {
				if got[name] != want[name] {
					t.Errorf("%s: %q, want %q", name, got[name], want[name])
				}
			}
		})
	}
	if !ran {
		t.Skip("needs Amazon's SDK for JavaScript, as a built LibreChat has it: SLUICE_LIBRECHAT_DIR=DIR go test ./internal/emulate/emulatetest -run TestSignedByJavaScript")
	}
}

// page puts a body of another origin by XMLHttpRequest, as an upload with progress does.
const page = `<!doctype html><script>
function put(url, type, size) {
	return new Promise((done) => {
		const x = new XMLHttpRequest(), seen = { progress: 0, loaded: 0, status: 0, etag: null, error: "", text: "" };
		x.open("PUT", url);
		if (type) x.setRequestHeader("Content-Type", type);
		x.upload.onprogress = (e) => { seen.progress++; seen.loaded = e.loaded; };
		x.onload = () => { seen.status = x.status; seen.etag = x.getResponseHeader("ETag"); seen.text = x.responseText; };
		x.onerror = () => { seen.error = "network"; };
		x.onloadend = () => done(seen);
		x.send(new Blob([new Uint8Array(size)]));
	});
}
</script>`

type upload struct {
	Progress, Loaded, Status int
	ETag, Error, Text        string
}

// TestChromiumUploadsAcrossOrigins: a page of the configured origin puts 20 MB by a presigned URL and sees its progress and the entity
// tag, and S3's errors; a page of another origin is held off by the browser.
func TestChromiumUploadsAcrossOrigins(t *testing.T) {
	tab := chromiumtest.Open(t, 90*time.Second)
	store, key, url := startBuckets(t)
	serve := func() *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(page))
		}))
		t.Cleanup(server.Close)
		return server
	}
	site, other := serve(), serve()
	age := 600
	if err := store.SetCORS("bucket", []s3.CORSRule{{AllowedOrigins: []string{site.URL}, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"content-type"}, ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: &age}}); err != nil {
		t.Fatal(err)
	}
	client := awss3.New(awss3.Options{Region: "eu-west-1", BaseEndpoint: &url, UsePathStyle: true, Credentials: provider(key)})
	const size = 20 << 20
	put, err := awss3.NewPresignClient(client).PresignPutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("staging/large"), ContentType: aws.String("application/pdf"), ContentLength: aws.Int64(size)})
	if err != nil {
		t.Fatal(err)
	}
	try := func(from *httptest.Server, kind string, bytes int) (seen upload) {
		t.Helper()
		chromiumtest.Do(t, tab, chromedp.Navigate(from.URL))
		call, _ := json.Marshal([]any{put.URL, kind, bytes})
		chromiumtest.Do(t, tab, chromedp.Evaluate[chromedp.Void](`window.seen = undefined; put(...`+string(call)+`).then((r) => { window.seen = r; }); undefined`),
			chromedp.Poll[chromedp.Void](`window.seen !== undefined`, chromedp.WithPollingTimeout(40*time.Second)))
		return chromiumtest.Evaluate[upload](t, tab, `window.seen`)
	}
	if seen := try(site, "application/pdf", size); seen.Status != 200 || seen.Loaded != size || seen.Progress < 2 || !strings.HasPrefix(seen.ETag, `"`) {
		t.Errorf("the upload: %+v", seen)
	}
	if seen := try(site, "application/pdf", size+1); seen.Status != 403 || !strings.Contains(seen.Text, "<Code>SignatureDoesNotMatch</Code>") {
		t.Errorf("a larger body: %+v", seen)
	}
	if seen := try(other, "application/pdf", size); seen.Error != "network" || seen.Status != 0 {
		t.Errorf("another origin: %+v", seen)
	}
	if head, err := client.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("staging/large")}); err != nil || aws.ToInt64(head.ContentLength) != size {
		t.Errorf("%+v %v", head, err)
	}
}
