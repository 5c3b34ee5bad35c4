package facts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Remote is a LibreChat as it is seen from outside.
type Remote struct {
	Design Design
	// Stub is set where the endpoint of a rehearsal's stub model is there.
	Stub bool
	// FileLimit is the largest file that its librechat.yaml lets a user upload, in bytes.
	FileLimit int64
}

const (
	loginPath  = "/api/auth/login"
	activePath = "/api/agents/chat/active" // only releases that generate after the POST have it
	modelsPath = "/api/models"
	filesPath  = "/api/files/config"
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 1 << 20
)

// browserAgent is a User-Agent that LibreChat lets pass.
const browserAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 sluice"

// ErrLogin is wrapped by Ask's error where LibreChat does not know the user.
var ErrLogin = errors.New("the login was refused")

// Ask logs in to the LibreChat at url, and finds out how it streams. No error
// holds the password.
func Ask(ctx context.Context, client *http.Client, url, email, password string) (Remote, error) {
	a := asker{client: client, url: strings.TrimSuffix(url, "/")}
	credentials, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		return Remote{}, err
	}
	var session struct{ Token string }
	status, err := a.ask(ctx, http.MethodPost, loginPath, credentials, &session)
	switch {
	case err != nil:
		return Remote{}, err
	case status >= 500:
		return Remote{}, fmt.Errorf("log in to LibreChat: it answers %d", status)
	case status != http.StatusOK || session.Token == "":
		return Remote{}, fmt.Errorf("log in to LibreChat as %s: %w (status %d)", email, ErrLogin, status)
	}
	a.token = session.Token
	var r Remote
	if r.Design, err = a.design(ctx); err != nil {
		return Remote{}, err
	}
	models := map[string][]string{}
	if _, err := a.ask(ctx, http.MethodGet, modelsPath, nil, &models); err != nil {
		return Remote{}, err
	}
	_, r.Stub = models[StubEndpoint]
	r.FileLimit, err = a.fileLimit(ctx)
	return r, err
}

// fileLimit is the least of the limits that the configuration has, of whatever endpoint: a check needs no more.
// https://www.librechat.ai/docs/configuration/librechat_yaml/object_structure/file_config
func (a asker) fileLimit(ctx context.Context) (int64, error) {
	type limit struct {
		FileSizeLimit *float64 // in MB
	}
	var config struct {
		ServerFileSizeLimit *float64
		Endpoints           map[string]limit
	}
	if _, err := a.ask(ctx, http.MethodGet, filesPath, nil, &config); err != nil {
		return 0, err
	}
	least := 512.0 // LibreChat's own
	for _, l := range append(slices.Collect(maps.Values(config.Endpoints)), limit{config.ServerFileSizeLimit}) {
		if l.FileSizeLimit != nil {
			least = min(least, *l.FileSizeLimit)
		}
	}
	return int64(least * (1 << 20)), nil
}

// asker asks a LibreChat with a user's token.
type asker struct {
	client     *http.Client
	url, token string
}

func (a asker) design(ctx context.Context) (Design, error) {
	var jobs struct{ ActiveJobIDs []string }
	status, err := a.ask(ctx, http.MethodGet, activePath, nil, &jobs)
	switch {
	case err != nil:
		return 0, err
	case status == http.StatusOK && jobs.ActiveJobIDs != nil:
		return GeneratesAfterPost, nil
	case status == http.StatusUnauthorized, status > http.StatusInternalServerError: // 500 is rc1's own answer
		return 0, fmt.Errorf("find how LibreChat streams: %s answers %d", activePath, status)
	}
	return StreamsInPost, nil
}

// ask decodes the answer into v where it is JSON.
func (a asker) ask(ctx context.Context, method, path string, body []byte, v any) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("ask LibreChat: %w", err)
	}
	request.Header.Set("User-Agent", browserAgent)
	request.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask LibreChat: %w", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("read LibreChat's answer to %s: %w", path, err)
	}
	_ = json.Unmarshal(data, v) // what is no JSON leaves v empty, and the status tells
	return response.StatusCode, nil
}
