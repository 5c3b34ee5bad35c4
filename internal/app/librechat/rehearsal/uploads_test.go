package rehearsal_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// photo is a picture of so many bytes at least, as a camera makes it: nothing of it compresses.
func photo(t *testing.T, name string, size int) string {
	t.Helper()
	side := 1
	for 3*side*side < size {
		side++
	}
	shot := image.NewNRGBA(image.Rect(0, 0, side, side))
	source := rand.NewChaCha8([32]byte{7})
	_, _ = source.Read(shot.Pix)
	for i := 3; i < len(shot.Pix); i += 4 {
		shot.Pix[i] = 255
	}
	path := filepath.Join(t.TempDir(), name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(file, shot); err != nil {
		t.Fatal(err)
	}
	return path
}

// large is a file of so many bytes at least, by its name.
func large(t *testing.T, name string, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var content bytes.Buffer
	switch filepath.Ext(name) {
	case ".pdf":
		content.WriteString("%PDF-1.7\n")
		_, _ = io.CopyN(&content, rand.NewChaCha8([32]byte{8}), int64(size))
	case ".json": // as LibreChat exports a conversation; of many messages the embedded database reads all for each that is saved
		fmt.Fprintf(&content, `{"conversationId":"x","endpoint":"Rehearsal","title":%q,"exportAt":"12:00:00","branches":false,"recursive":false,"options":{"endpoint":"Rehearsal","model":"rehearsal"},"messages":[`, name)
		text, parent := strings.Repeat("A long conversation. ", 8<<20/21), "00000000-0000-0000-0000-000000000000"
		for n := 0; content.Len() < size; n++ {
			fmt.Fprintf(&content, `{"messageId":"m%d","conversationId":"x","parentMessageId":%q,"sender":"User","text":%q,"isCreatedByUser":true},`, n, parent, text)
			parent = fmt.Sprintf("m%d", n)
		}
		content.Truncate(content.Len() - 1)
		content.WriteString("]}")
	default:
		for n := 0; content.Len() < size; n++ {
			fmt.Fprintf(&content, "%d: a line of a text that is long\n", n)
		}
	}
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBuiltLargeFiles gives LibreChat files past Lambda's 6 MB as a person does, and finds them again by way of other environments.
func TestBuiltLargeFiles(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(c *rehearse.Config) { c.Concurrency = everyday })
		w.verifyUploads(t)
		p := browse(t, w, 15*time.Minute)
		p.login()
		p.watchSends()
		before := w.staged()
		pdf, text := large(t, "thirty.pdf", 30<<20), large(t, "hundred.txt", 100<<20)
		p.attach(pdf)
		p.uploaded(before + 1)
		chromiumtest.Picture(t, p.ctx, "upload-"+r.Version)
		p.attach(photo(t, "twenty.png", 20<<20))
		p.uploaded(before + 2)
		p.attach(text)
		p.uploaded(before + 3)
		p.attach(large(t, "one.pdf", 7<<20), large(t, "two.pdf", 8<<20), large(t, "three.txt", 9<<20))
		p.uploaded(before + 6)
		p.drop(photo(t, "dropped.png", 6<<20))
		p.uploaded(before + 7)
		chromiumtest.Picture(t, p.ctx, "uploads-"+r.Version)
		p.send("/api/files/images/avatar", photo(t, "avatar.png", 5<<20), 200)
		p.progressed(8)
		for _, id := range w.environments() {
			w.Lambda.Kill(id)
		}
		w.finds(t, pdf, text)
		p.changesPicture() // after which LibreChat forgets what was attached and never sent
		p.imports(large(t, "fifty.json", 50<<20))
		w.hasTalks(t, "fifty.json")
	})
}

// verifyUploads is the part of sluice verify that is about uploads.
func (w *world) verifyUploads(t *testing.T) {
	t.Helper()
	d := facts.Description(w.release.Design, facts.StubEndpoint, facts.StubModel)
	got, err := probe.Run(t.Context(), w.ViewerURL, description.Description{App: d.App, Login: d.Login, Upload: d.Upload},
		probe.Options{Quick: true, Timeout: 2 * time.Minute, Vars: map[string]string{"email": facts.UserEmail, "password": facts.UserPassword}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range got.Results {
		if x.Status != "skip" {
			t.Logf("verify: %s %s: %s", x.Status, x.Name, x.Detail)
		}
		if x.Status == "fail" || x.Name == "20 MB by way of S3" && x.Status != "pass" {
			t.Errorf("verify: %+v", x)
		}
	}
}

// watchSends notes what a page sees of the progress of its requests.
func (p *tab) watchSends() {
	p.t.Helper()
	js[int](p, `(() => { const { send } = XMLHttpRequest.prototype; window.sends = [];
		XMLHttpRequest.prototype.send = function (body) {
			const seen = [];
			this.upload.addEventListener('progress', (e) => seen.push(e.loaded / e.total));
			this.addEventListener('loadend', () => seen.length && sends.push({ status: this.status, seen, text: this.status < 300 ? '' : this.responseText.slice(0, 300) }));
			return send.call(this, body);
		}; return 0 })()`)
}

// progressed holds that the progress of so many requests grew and came to the whole, and that of large ones began below it.
func (p *tab) progressed(n int) {
	p.t.Helper()
	got := js[[]int](p, `(() => { const whole = sends.filter(({ status, seen }) => status < 300 && seen.at(-1) === 1 && seen.every((v, i) => !i || v >= seen[i - 1]));
		return [whole.length, whole.filter(({ seen }) => seen[0] < 1).length] })()`)
	if got[0] != n || got[1] < 3 {
		p.t.Errorf("the progress of %d requests came to its end, and of %d of them it moved: %s", got[0], got[1], js[string](p, `JSON.stringify(sends)`))
	}
}

// uploaded waits until the page has uploaded so many files by way of S3.
func (p *tab) uploaded(n int) {
	p.t.Helper()
	testkit.Wait(p.t, opening, fmt.Sprintf("%d uploads", n), func() (string, bool) {
		failed, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`JSON.stringify(sends.filter(({ text }) => text))`))
		return strings.Join(p.w.uploads(), "\n") + failed, p.w.staged() >= n
	})
}

// staged is how many uploads of files LibreChat has taken.
func (w *world) staged() (n int) {
	for _, line := range w.uploads() {
		if strings.HasPrefix(line, "POST /api/files") && strings.HasSuffix(line, " 200") {
			n++
		}
	}
	return n
}

// drop drags a file onto the page, and takes the first thing that can be done with it.
func (p *tab) drop(file string) {
	p.t.Helper()
	data := &input.DragData{Items: []*input.DragDataItem{}, Files: []string{file}, DragOperationsMask: 1}
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		if _, err := chromedp.Call(p.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{Type: kind, X: 650, Y: 400, Data: data}); err != nil {
			p.t.Fatal(err)
		}
	}
	const choice = `document.querySelector('[role="dialog"] button.flex, [role="dialog"] button')`
	p.within(soon, "what can be done with the file", choice)
	js[int](p, choice+`.click() ?? 0`)
}

// settings opens a tab of LibreChat's settings.
func (p *tab) settings(name string) {
	p.t.Helper()
	const (
		menu = `document.querySelector('[data-testid="nav-user"]')`
		item = `[...document.querySelectorAll('[role="option"], [role="menuitem"]')].find((e) => e.innerText.trim() === 'Settings')`
	)
	trigger := fmt.Sprintf(`document.querySelector('[role="tab"][id$="-trigger-%s"]')`, name)
	p.within(soon, "the user's menu", menu)
	js[int](p, menu+`.click() ?? 0`)
	p.within(soon, "the settings in the user's menu", item)
	js[int](p, item+`.click() ?? 0`)
	p.within(soon, "the settings' tab "+name, trigger)
	js[int](p, trigger+`.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, button: 0 })), `+trigger+`.click() ?? 0`)
}

// changesPicture takes another avatar by way of the settings, of which the page makes a small one before it sends it.
func (p *tab) changesPicture() {
	p.t.Helper()
	const chosen = `[role="dialog"] input[accept=".png, .jpg, .jpeg"]`
	changed := func() (n int) {
		for _, line := range p.w.uploads() {
			if strings.Contains(line, "/api/files/images/avatar 200") {
				n++
			}
		}
		return n
	}
	before := changed()
	p.settings("account")
	p.press("Change picture")
	p.within(soon, "an input for a picture", `document.querySelector('`+chosen+`')`)
	p.give(chosen, photo(p.t, "five.png", 5<<20))
	p.within(soon, "a preview", `document.querySelector('[role="dialog"] canvas')`)
	p.press("Upload")
	testkit.Wait(p.t, opening, "another picture", func() (string, bool) { return strings.Join(p.w.uploads(), "\n"), changed() == before+1 })
	p.do(chromedp.Navigate(p.w.ViewerURL))
	p.ready()
	p.watchSends()
}

// imports has the settings read a file of conversations. It is answered when all is saved, for which CloudFront waits a minute.
func (p *tab) imports(file string) {
	p.t.Helper()
	const chosen = `[role="dialog"] input[accept=".json"]`
	p.settings("data")
	p.within(soon, "an input for conversations", `document.querySelector('`+chosen+`')`)
	p.give(chosen, file)
	p.within(3*time.Minute, "an answer to the import", `sends.length`)
	if got := js[[]int](p, `[sends.length, sends[0].status, Number(sends[0].seen.at(-1) === 1)]`); got[0] != 1 || got[1] != 201 && got[1] != 504 || got[2] != 1 {
		p.t.Errorf("the import: %s", js[string](p, `JSON.stringify(sends)`))
	}
	if js[int](p, `sends[0].status`) == 201 {
		p.within(soon, "the page's word of it", `document.body.innerText.includes('Conversations imported successfully')`)
	}
	if !p.w.hadTicket("/api/convos/import") {
		p.t.Error("the import did not come by way of S3")
	}
}

// hadTicket says whether a request to a path brought its body by way of S3.
func (w *world) hadTicket(path string) bool {
	events, _ := w.Recorder.Since(0)
	had := map[string]bool{}
	for _, e := range events {
		if e.Kind == timeline.Upload && e.Note == timeline.UploadRequest {
			had[e.Request] = true
		}
	}
	return slices.ContainsFunc(events, func(e timeline.Event) bool {
		return e.Kind == timeline.RequestStart && e.Hop == timeline.CloudFront && e.Path == path && had[e.Request]
	})
}

// send sends a file as LibreChat's page does, with its own session.
func (p *tab) send(path, file string, statuses ...int) {
	p.t.Helper()
	js[int](p, `(() => { document.body.insertAdjacentHTML('beforeend', '<input type="file" id="ours">'); return 0 })()`)
	p.give("#ours", file)
	got, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`(async () => {
		const { token } = await (await fetch('/api/auth/refresh', { method: 'POST' })).json();
		const form = new FormData(), file = document.querySelector('#ours').files[0];
		form.append('file', file, file.name);
		document.querySelector('#ours').remove();
		return await new Promise((resolve) => {
			const x = new XMLHttpRequest();
			x.open('POST', '`+path+`');
			x.setRequestHeader('Authorization', 'Bearer ' + token);
			x.onloadend = () => resolve(x.status + ' ' + x.responseText);
			x.send(form);
		}) })()`, chromedp.EvalAwaitPromise))
	status, _, _ := strings.Cut(got, " ")
	if n, _ := strconv.Atoi(status); err != nil || !slices.Contains(statuses, n) {
		p.t.Errorf("%s: %.300s, %v", path, got, err)
	}
}

// user is the rehearsal's. An environment that is killed while it has the login takes it along.
func (w *world) user(t *testing.T) *person {
	t.Helper()
	p := &person{base: w.ViewerURL, design: w.release.Design, login: map[string]string{"email": facts.UserEmail, "password": facts.UserPassword}}
	testkit.Wait(t, opening, "a login", func() (string, bool) {
		err := p.renew(t.Context(), "")
		return fmt.Sprint(err), err == nil
	})
	return p
}

// finds downloads the user's files, and holds them against what was uploaded.
func (w *world) finds(t *testing.T, files ...string) {
	t.Helper()
	p := w.user(t)
	var known []struct {
		FileID   string `json:"file_id"`
		User     string
		Filename string
		Filepath string
	}
	if err := p.call(t.Context(), http.MethodGet, "/api/files", nil, &known); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range known {
		names = append(names, k.Filename)
		url, token := w.ViewerURL+"/api/files/download/"+k.User+"/"+k.FileID, p.token
		if strings.HasSuffix(k.Filename, ".png") {
			url, token = k.Filepath, "" // as a page shows it
		}
		sum := download(t, url, token)
		for _, file := range files {
			if content, err := os.ReadFile(file); filepath.Base(file) == k.Filename && (err != nil || sum != sha256.Sum256(content)) {
				t.Errorf("%s is another file than was uploaded, %v", k.Filename, err)
			}
		}
	}
	slices.Sort(names)
	if want := []string{"dropped.png", "hundred.txt", "one.pdf", "thirty.pdf", "three.txt", "twenty.png", "two.pdf"}; !slices.Equal(names, want) {
		t.Errorf("the user has the files %q, want %q", names, want)
	}
}

// hasTalks waits until the user has these conversations and no others.
func (w *world) hasTalks(t *testing.T, titles ...string) {
	t.Helper()
	p := w.user(t)
	testkit.Wait(t, opening, "the conversations", func() (string, bool) {
		var talks struct{ Conversations []struct{ Title string } }
		err := p.call(t.Context(), http.MethodGet, "/api/convos", nil, &talks)
		var got []string
		for _, c := range talks.Conversations {
			got = append(got, c.Title)
		}
		return fmt.Sprint(got, err), slices.Equal(got, titles)
	})
}

func download(t *testing.T, url, token string) [sha256.Size]byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", userAgent)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, response.Body)
	if err != nil || response.StatusCode != http.StatusOK || n == 0 {
		t.Errorf("%.200s: %s, %d bytes, %v", url, response.Status, n, err)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// attach gives files to the page's own input, as its menu does.
func (p *tab) attach(files ...string) {
	p.t.Helper()
	p.within(soon, "an input for files", `document.querySelector('input[type="file"]')`)
	p.give(`input[type="file"]`, files...)
}

// give has an input hold files.
func (p *tab) give(input string, files ...string) {
	p.t.Helper()
	nodes, err := chromedp.Run(p.ctx, chromedp.Nodes(chromedp.CSS(input)))
	if err != nil || len(nodes) == 0 {
		p.t.Fatalf("%d inputs for files: %v", len(nodes), err)
	}
	if _, err := chromedp.Call(p.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: files, NodeID: nodes[0].NodeID}); err != nil {
		p.t.Fatal(err)
	}
}

// uploads are the requests that brought a body by way of S3, as the record has them.
func (w *world) uploads() (lines []string) {
	events, _ := w.Recorder.Since(0)
	path := map[string]string{}
	for _, e := range events {
		switch {
		case e.Kind == timeline.RequestStart && e.Hop == timeline.CloudFront:
			path[e.Request] = e.Method + " " + e.Path
		case e.Kind == timeline.RequestEnd && e.Hop == timeline.CloudFront && (strings.Contains(path[e.Request], "_sluice") || strings.Contains(path[e.Request], "/api/files")):
			lines = append(lines, fmt.Sprintf("%s %d", path[e.Request], e.Status))
		}
	}
	return lines
}
