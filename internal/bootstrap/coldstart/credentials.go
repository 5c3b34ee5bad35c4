package coldstart

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// validity is how far ahead the Expiration of each answer lies. Some SDKs come back up to 15 minutes before it.
const validity = time.Hour

// maxRequest bounds the head of a request for credentials, which has no body. net/http reads 4 KiB more.
const maxRequest = 16 << 10

// endpoint serves the role's credentials to the app, as a container's agent does.
type endpoint struct {
	keys   settings.Keys
	token  settings.Secret
	url    string
	server *http.Server
	done   chan struct{}
}

// serveCredentials starts the endpoint. It outlives the context, and ends by close.
func (st *start) serveCredentials(context.Context) (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("listen for the app's requests for credentials: %w", err)
	}
	e := &endpoint{keys: st.Keys, token: settings.NewSecret(rand.Text()), url: "http://" + ln.Addr().String() + "/credentials", done: make(chan struct{})}
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, MaxHeaderBytes: maxRequest}
	// After a freeze, a kept connection may be dead on one side only.
	e.server.SetKeepAlivesEnabled(false)
	go func() {
		defer close(e.done)
		e.server.Serve(ln) // ends with close
	}()
	st.endpoint = e
	return 1, nil
}

func (e *endpoint) close() {
	e.server.Close()
	<-e.done
}

// endpointVariables are those by which the app's SDK finds the endpoint, and its token.
var endpointVariables = []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"}

func (e *endpoint) variables() map[string]string {
	return map[string]string{endpointVariables[0]: e.url, endpointVariables[1]: e.token.Reveal()}
}

// ServeHTTP answers GET /credentials in the format of a container's credential provider.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(e.token.Reveal())) != 1 {
		refuse(w, http.StatusForbidden, "AccessDenied", "the Authorization header must hold AWS_CONTAINER_AUTHORIZATION_TOKEN")
		return
	}
	if r.Method != http.MethodGet || r.URL.Path != "/credentials" {
		refuse(w, http.StatusNotFound, "NotFound", "there is only GET /credentials")
		return
	}
	json.NewEncoder(w).Encode(map[string]string{
		"AccessKeyId":     e.keys.ID,
		"SecretAccessKey": e.keys.Secret.Reveal(),
		"Token":           e.keys.Token.Reveal(),
		"Expiration":      time.Now().Add(validity).UTC().Format(time.RFC3339),
	})
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"code": code, "message": message})
}
