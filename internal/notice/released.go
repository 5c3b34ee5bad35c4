package notice

// Tags are those of a release's build, as the Makefile has them.
const Tags = "release,ferretdb_no_postgresql"

// Released are the programs of a release: sluice for each system, with both bootstraps inside.
func Released() []Program {
	var all []Program
	for _, system := range []string{"linux", "darwin"} {
		for _, arch := range []string{"amd64", "arm64"} {
			all = append(all, Program{Package: "./cmd/sluice", OS: system, Arch: arch, Tags: Tags})
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		all = append(all, Program{Package: "./cmd/bootstrap", OS: "linux", Arch: arch})
	}
	return all
}
