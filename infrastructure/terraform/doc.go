// Package terraform is the system as Terraform: modules frontend, backend,
// api-gateway and redis, a module for each part that is optional or stands by
// itself (domain, network, files, alias, usage-plan, account, monitoring, deployer, github), and the
// environments dev and prod made of them, of which prod is dev's files by symbolic
// links, with values and a backend of its own; environments account and ci are what an account has once. The Go part carries the files, but no
// link, into the sluice program and holds their tests. It leaves out how they are planned and applied.
package terraform

import "embed"

// Files are the modules and environments, in the tree that they need.
//
//go:embed modules/*/*.tf modules/frontend/functions/*.js modules/deployer/policies/*.json environments/dev/*.tf environments/prod/backend.tf environments/account/*.tf environments/ci/*.tf environments/*/terraform.tfvars.json
var Files embed.FS
