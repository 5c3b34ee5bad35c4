// Package terraform is the system as Terraform: modules frontend, backend,
// api-gateway and redis, a module for each part that is optional or stands by
// itself (domain, network, files, alias, usage-plan, account, monitoring), and the
// environment dev made of them. The Go part carries the files into the sluice
// program and holds their tests. It leaves out how they are planned and applied.
package terraform

import "embed"

// Files are the modules and environments, in the tree that they need.
//
//go:embed modules/*/*.tf modules/frontend/functions/*.js environments/*/*.tf environments/*/terraform.tfvars.json
var Files embed.FS
