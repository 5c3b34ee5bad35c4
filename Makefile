# The two commands: `go run ./cmd/sluice up` runs the rehearsal, `make deps test` passes all tests.
STATICCHECK = go tool staticcheck
# FerretDB, the embedded MongoDB, brings a PostgreSQL client along, which Sluice never uses.
TAGS = ferretdb_no_postgresql
BOOTSTRAP_FLAGS = -trimpath -buildvcs=false -ldflags="-s -w -buildid="

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

.PHONY: test
test: lint ## check and test everything, with the race detector; says first which tests will skip
	@.ci/deps --check
	go test -race -timeout 60m ./...

.PHONY: deps
deps: ## install what some tests use: Node, Chromium, Redis, nginx, moto, MCP's server and clients
	@.ci/deps

.PHONY: lint
lint: ## gofmt, vet, staticcheck
	@unformatted=$$(gofmt -l cmd internal bench infrastructure); test -z "$$unformatted" || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...

.PHONY: deadcode
deadcode: ## name functions that nothing reaches, in each build; takes minutes, so CI runs it
	@.ci/deadcode

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s); .ci/fuzz FOLDER runs those of one folder
	@.ci/fuzz

.PHONY: bounds
bounds: ## read files, registries and sites without an end under a memory limit, which the race detector would exceed
	go test -count 1 -run 'FillsTheMemory|TestLargeEvent' ./internal/bootstrap ./internal/cli

.PHONY: vuln
vuln: ## look for known vulnerabilities that code here reaches; skips, and says so, without the database
	@.ci/vuln

.PHONY: bench
bench: ## run the benchmarks: ratios against a baseline in the same run
	go test -run '^$$' -bench . -benchtime 1x ./bench/...

.PHONY: build
build: ## build sluice for this machine into bin/
	CGO_ENABLED=0 go build -tags $(TAGS) -o bin/sluice ./cmd/sluice

.PHONY: release
release: ## build sluice into dist/ for each system, with both bootstraps inside and the notice of others' software: no Go is needed where it runs
	go run ./internal/bootstrapbin/gen
	go run ./internal/notice/gen
	@for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do echo "dist/sluice-$${target%/*}-$${target#*/}"; \
	  CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} go build -tags release,$(TAGS) $(BOOTSTRAP_FLAGS) -o "dist/sluice-$${target%/*}-$${target#*/}" ./cmd/sluice || exit 1; done

.PHONY: generate
generate: ## make the embedded extract of the plan, the docs and the graph anew
	go generate ./...
