package runtimeapi

import (
	"encoding/json"
	"net/http"
	"time"
)

// Credentials are the role's, as a container's endpoint gives them.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
type Credentials struct {
	AccessKeyID     string    `json:"AccessKeyId"`
	SecretAccessKey string    `json:"SecretAccessKey"`
	SessionToken    string    `json:"Token"`
	Expiration      time.Time `json:"Expiration"`
}

// CredentialsPath is where the server gives them out.
const CredentialsPath = "/2021-04-23/credentials"

// snapStart are the calls that only runtimes of snapshots have.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-custom.html
func (a runtimeAPI) snapStart() []route {
	return []route{
		{"GET", "/2018-06-01/runtime/restore/next", a.restoreNext},
		{"POST", "/2018-06-01/runtime/restore/error", a.restoreError},
		{"GET", CredentialsPath, a.credentials},
	}
}

// restoreNext ends the init phase and holds the runtime until it is restored. The answer
// is empty.
func (a runtimeAPI) restoreNext(w http.ResponseWriter, r *http.Request) {
	s := a.get(w)
	if s == nil || a.strange(w, r, s) {
		return
	}
	s.mu.Lock()
	if s.phase == phaseRestoring && s.mayAsk {
		s.mayAsk = false
		s.mu.Unlock()
		w.WriteHeader(http.StatusOK)
		return
	}
	if s.phase != phaseStarted {
		defer s.mu.Unlock()
		wrongPhase(w, s.phase, phaseReady)
		return
	}
	s.phase, s.waiting = phaseRestoreReady, true
	s.settle()
	s.mu.Unlock()
	select {
	case <-s.restored:
		w.WriteHeader(http.StatusOK)
	case <-s.ended:
		answerError(w, http.StatusGone, "Sandbox.Ended", "the environment ends")
	case <-r.Context().Done():
	}
}

// restoreError takes the failure of a hook that ran after the restore.
func (a runtimeAPI) restoreError(w http.ResponseWriter, r *http.Request) {
	a.phaseError(w, r, phaseRestoring, phaseRestoreError)
}

// credentials answers as rapid does, by text where it refuses.
func (a runtimeAPI) credentials(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != a.cfg.SnapStart.Token {
		http.Error(w, "cannot get credentials for the provided token", http.StatusNotFound)
		return
	}
	doc, _ := json.Marshal(a.cfg.SnapStart.Credentials())
	_, _ = w.Write(doc)
}
