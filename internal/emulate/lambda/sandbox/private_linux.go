package sandbox

import (
	"os"
	"path/filepath"
	"slices"
)

// Where people and their tools keep credentials. An app runs as its developer, and
// would read them.
var (
	privateHome = []string{
		".aws", ".azure", ".bash_history", ".cargo/credentials", ".cargo/credentials.toml", ".config/doctl", ".config/gcloud", ".config/gh",
		".config/git/credentials", ".config/google-chrome", ".config/chromium", ".config/hcloud", ".config/op", ".config/rclone", ".config/sops",
		".docker", ".git-credentials", ".gnupg", ".kube", ".local/share/keyrings", ".mozilla", ".my.cnf", ".netrc", ".node_repl_history", ".npmrc",
		".password-store", ".pgpass", ".psql_history", ".pypirc", ".python_history", ".ssh", ".terraform.d", ".terraformrc", ".tofurc",
		".vault-token", ".yarnrc.yml", ".zsh_history",
	}
	privateMachine = []string{"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssh", "/etc/ssl/private", "/etc/kubernetes"}
)

// private lists them on this machine. Some of them are not there.
func private() []string {
	paths := slices.Clone(privateMachine)
	home, _ := os.UserHomeDir() // without one there is nothing to hide in it
	for _, dir := range []string{home, "/root"} {
		for _, name := range privateHome {
			if dir != "" {
				paths = append(paths, filepath.Join(dir, name))
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
