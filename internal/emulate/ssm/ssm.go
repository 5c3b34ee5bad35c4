package ssm

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config describes the store. The zero value is an empty store of account 123456789012 in eu-west-1.
type Config struct {
	Region  string
	Account string
	// Secure and Plain are the parameters to begin with, as SecureString and as String: name -> value.
	Secure map[string]string
	Plain  map[string]string
	// Deny are names that the caller's policy does not allow.
	Deny []string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Store is an http.Handler. It is safe for concurrent use.
type Store struct {
	cfg Config
	mu  sync.RWMutex
	all map[string][]parameter // by name; the last version is at the end
}

// parameter is one version of a parameter, as the wire has it.
type parameter struct {
	ARN              string
	DataType         string
	LastModifiedDate float64 // seconds since 1970
	Name             string
	Selector         string `json:",omitempty"`
	Type             string
	Value            string
	Version          int64
}

// New makes a store. A name or value that the service would not take is an error.
func New(cfg Config) (*Store, error) {
	if cfg.Region == "" {
		cfg.Region = "eu-west-1"
	}
	if cfg.Account == "" {
		cfg.Account = "123456789012"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Store{cfg: cfg, all: map[string][]parameter{}}
	for kind, set := range map[string]map[string]string{"SecureString": cfg.Secure, "String": cfg.Plain} {
		for name, value := range set {
			if _, err := s.store(putInput{Name: name, Type: kind, Value: value}); err != nil {
				return nil, fmt.Errorf("parameter %s: %w", name, err)
			}
		}
	}
	return s, nil
}

// Put stores a value as a SecureString, as the service's PutParameter with Overwrite.
func (s *Store) Put(name, value string) error {
	if _, err := s.store(putInput{Name: name, Type: "SecureString", Value: value, Overwrite: true}); err != nil {
		return fmt.Errorf("parameter %s: %w", name, err)
	}
	return nil
}

// failure is an error of the service.
type failure struct {
	status  int
	Type    string `json:"__type"`
	Message string `json:"message"`
}

func (f *failure) Error() string { return f.Type + ": " + f.Message }

func refuse(kind, format string, args ...any) error {
	return &failure{http.StatusBadRequest, kind, fmt.Sprintf(format, args...)}
}

const target = "AmazonSSM."

// ServeHTTP answers one API call.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	out, err := s.call(r)
	if err != nil {
		f, ok := err.(*failure)
		if !ok {
			f = &failure{http.StatusBadRequest, "SerializationException", err.Error()}
		}
		w.WriteHeader(f.status)
		out = f
	}
	json.NewEncoder(w).Encode(out) // a client that has left needs no error
}

func (s *Store) call(r *http.Request) (any, error) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	if r.Method != http.MethodPost || !ok {
		return nil, refuse("UnknownOperationException", "%s %s with X-Amz-Target %q is no call of AmazonSSM", r.Method, r.URL.Path, r.Header.Get("X-Amz-Target"))
	}
	body := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
	switch operation {
	case "GetParameter":
		return decode(body, s.getOne)
	case "GetParameters":
		return decode(body, s.getMany)
	case "GetParametersByPath":
		return decode(body, s.getByPath)
	case "PutParameter":
		return decode(body, s.put)
	}
	return nil, refuse("UnknownOperationException", "%s is not emulated", operation)
}

func decode[In, Out any](body *json.Decoder, f func(In) (Out, error)) (any, error) {
	var in In
	if err := body.Decode(&in); err != nil {
		return nil, err
	}
	return f(in)
}

func (s *Store) arn(name string) string {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return "arn:aws:ssm:" + s.cfg.Region + ":" + s.cfg.Account + ":parameter" + name
}

var arnPattern = regexp.MustCompile(`^arn:[a-z0-9-]+:ssm:[a-z0-9-]+:\d{12}:parameter(/.+)$`)

// find returns a parameter by "name", "name:version" or an ARN of either.
func (s *Store) find(asked string) (parameter, bool) {
	ref, selector := asked, ""
	if m := arnPattern.FindStringSubmatch(asked); m != nil {
		ref = m[1]
	}
	if name, version, ok := strings.Cut(ref, ":"); ok {
		ref, selector = name, version
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	versions := s.all[ref]
	if versions == nil && ref != asked { // an ARN does not tell /name from name
		versions = s.all[strings.TrimPrefix(ref, "/")]
	}
	if len(versions) == 0 {
		return parameter{}, false
	}
	p := versions[len(versions)-1]
	if selector != "" {
		n, err := strconv.Atoi(selector)
		if err != nil || n < 1 || n > len(versions) {
			return parameter{}, false
		}
		p = versions[n-1]
		p.Selector = ":" + selector
	}
	return p, true
}

// allowed answers as IAM does: the whole request fails for one name.
func (s *Store) allowed(action string, names ...string) error {
	for _, n := range names {
		name := n
		if p, ok := s.find(n); ok {
			name = p.Name
		}
		if slices.Contains(s.cfg.Deny, name) {
			return refuse("AccessDeniedException", "User: arn:aws:sts::%s:assumed-role/function/function is not authorized to perform: ssm:%s on resource: %s because no identity-based policy allows the ssm:%s action",
				s.cfg.Account, action, s.arn(name), action)
		}
	}
	return nil
}

// shown is what a caller gets: without decryption, a SecureString is its ciphertext.
func (p parameter) shown(decrypt bool) parameter {
	if p.Type == "SecureString" && !decrypt {
		p.Value = fmt.Sprintf("AQICAHh-undecrypted-%d", len(p.Value))
	}
	return p
}

func (s *Store) names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.all))
}
