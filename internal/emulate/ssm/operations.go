package ssm

import (
	"regexp"
	"slices"
	"strings"
)

const maxNames = 10

type getOneInput struct {
	Name           string
	WithDecryption bool
}

type getOneOutput struct{ Parameter parameter }

func (s *Store) getOne(in getOneInput) (getOneOutput, error) {
	if err := s.allowed("GetParameter", in.Name); err != nil {
		return getOneOutput{}, err
	}
	p, ok := s.find(strings.TrimSpace(in.Name))
	if !ok {
		return getOneOutput{}, refuse("ParameterNotFound", "")
	}
	return getOneOutput{p.shown(in.WithDecryption)}, nil
}

type getManyInput struct {
	Names          []string
	WithDecryption bool
}

type getManyOutput struct {
	InvalidParameters []string
	Parameters        []parameter
}

func (s *Store) getMany(in getManyInput) (getManyOutput, error) {
	out := getManyOutput{InvalidParameters: []string{}, Parameters: []parameter{}}
	if n := len(in.Names); n < 1 || n > maxNames {
		return out, refuse("ValidationException", "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and %d, has %d", maxNames, n)
	}
	for i, name := range in.Names {
		if slices.Contains(in.Names[:i], name) {
			return out, refuse("ValidationException", "Duplicate name %s", name)
		}
	}
	if err := s.allowed("GetParameters", in.Names...); err != nil {
		return out, err
	}
	for _, name := range in.Names {
		if p, ok := s.find(strings.TrimSpace(name)); ok {
			out.Parameters = append(out.Parameters, p.shown(in.WithDecryption))
		} else {
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	slices.SortFunc(out.Parameters, func(a, b parameter) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

type byPathInput struct {
	Path           string
	Recursive      bool
	WithDecryption bool
	MaxResults     int
	NextToken      string
}

type byPathOutput struct {
	NextToken  string `json:",omitempty"`
	Parameters []parameter
}

// getByPath pages through the names below a path. The token is the last name given.
func (s *Store) getByPath(in byPathInput) (byPathOutput, error) {
	out := byPathOutput{Parameters: []parameter{}}
	if !strings.HasPrefix(in.Path, "/") {
		return out, refuse("ValidationException", "The parameter path %q must begin with a slash", in.Path)
	}
	if in.MaxResults == 0 {
		in.MaxResults = maxNames
	}
	if in.MaxResults < 1 || in.MaxResults > maxNames {
		return out, refuse("ValidationException", "MaxResults %d is not within 1 and %d", in.MaxResults, maxNames)
	}
	if err := s.allowed("GetParametersByPath", in.Path); err != nil {
		return out, err
	}
	below := strings.TrimSuffix(in.Path, "/") + "/"
	for _, name := range s.names() {
		rest, ok := strings.CutPrefix(name, below)
		if !ok || name <= in.NextToken || (!in.Recursive && strings.Contains(rest, "/")) {
			continue
		}
		if len(out.Parameters) == in.MaxResults {
			out.NextToken = out.Parameters[len(out.Parameters)-1].Name
			break
		}
		if p, ok := s.find(name); ok {
			out.Parameters = append(out.Parameters, p.shown(in.WithDecryption))
		}
	}
	return out, nil
}

type putInput struct {
	Name      string
	Type      string
	Value     string
	Tier      string
	Overwrite bool
}

type putOutput struct {
	Tier    string
	Version int64
}

var (
	validName = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
	reserved  = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
)

func (s *Store) put(in putInput) (putOutput, error) {
	if err := s.allowed("PutParameter", in.Name); err != nil {
		return putOutput{}, err
	}
	return s.store(in)
}

// store keeps a new version of a parameter, or says why the service would not take it.
func (s *Store) store(in putInput) (putOutput, error) {
	if in.Tier == "" {
		in.Tier = "Standard"
	}
	limit := 4096
	if in.Tier == "Advanced" {
		limit = 8192
	}
	switch {
	case !validName.MatchString(in.Name), len(in.Name) > 1011, strings.Count(in.Name, "/") > 15,
		strings.Contains(in.Name[1:], "/") && in.Name[0] != '/':
		return putOutput{}, refuse("ValidationException", "Parameter name %q: must consist of letters, digits and .-_, with at most 15 levels divided by slashes, fully qualified if it has any", in.Name)
	case reserved.MatchString(in.Name):
		return putOutput{}, refuse("ValidationException", "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive): %s", in.Name)
	case in.Value == "" || len(in.Value) > limit:
		return putOutput{}, refuse("ValidationException", "Parameter %s: the value has %d bytes and must have 1 to %d in the %s tier", in.Name, len(in.Value), limit, in.Tier)
	}
	return s.add(in)
}

func (s *Store) add(in putInput) (putOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all[in.Name]
	if len(old) > 0 && !in.Overwrite {
		return putOutput{}, refuse("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	}
	if in.Type == "" && len(old) > 0 {
		in.Type = old[len(old)-1].Type
	}
	if !slices.Contains([]string{"String", "StringList", "SecureString"}, in.Type) {
		return putOutput{}, refuse("ValidationException", "Parameter %s: type %q is not String, StringList or SecureString", in.Name, in.Type)
	}
	p := parameter{ARN: s.arn(in.Name), DataType: "text", LastModifiedDate: float64(s.cfg.Now().UnixMilli()) / 1000,
		Name: in.Name, Type: in.Type, Value: in.Value, Version: int64(len(old) + 1)}
	s.all[in.Name] = append(old, p)
	return putOutput{Tier: in.Tier, Version: p.Version}, nil
}
