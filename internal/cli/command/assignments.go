package command

import (
	"fmt"
	"strings"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/dotenv"
)

// Assignments reads values of a flag that takes NAME=VALUE.
func Assignments(flag string, values []string) (map[string]string, error) {
	out := map[string]string{}
	for _, v := range values {
		name, value, ok := strings.Cut(v, "=")
		if !ok || !dotenv.IsName(name) {
			return nil, Usagef("%s %q is not NAME=VALUE", flag, v)
		}
		out[name] = value
	}
	return out, nil
}

// maxEnvironmentFile bounds what is read of a dotenv file, as the bootstrap does.
const maxEnvironmentFile = 1 << 20

// EnvironmentFile reads a dotenv file.
func EnvironmentFile(path string) (map[string]string, error) {
	data, err := bounded.ReadFile(path, maxEnvironmentFile)
	if err != nil {
		return nil, fmt.Errorf("read the environment file: %w", err)
	}
	env, err := dotenv.Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("environment file %s, %w", path, err)
	}
	return env, nil
}
