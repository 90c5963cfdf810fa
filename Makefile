# Everything a user or contributor runs. `make` alone explains itself.

BIN     := bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO      ?= go
LDFLAGS := -s -w -X main.version=$(VERSION)

# Packages that link the embedded Temporal server. Building it for the first
# time takes minutes, so everything else is tested first.
SERVER_PACKAGES := ./cmd/sweep/... ./internal/devserver/... ./bench/...
UNIT_PACKAGES    = $$($(GO) list ./... | grep -v -e /cmd/sweep -e /internal/devserver -e /bench)

.DEFAULT_GOAL := help
.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# sweep is built as the tests are, so that both share one compiled server; the
# trainer is static, so that it runs on any node.
.PHONY: build
build: ## Build bin/sweep and bin/trainer (the first time takes minutes)
	$(GO) build -ldflags "$(LDFLAGS)" -o $(BIN)/ ./cmd/sweep
	CGO_ENABLED=0 $(GO) build -ldflags "$(LDFLAGS)" -o $(BIN)/ ./cmd/trainer

.PHONY: demo
demo: build ## Train a small grid on MNIST and average its ten best networks
	$(BIN)/sweep run recipes/demo.yaml

.PHONY: demo-short
demo-short: build ## The demo in half a minute, on a part of the data, from scratch
	rm -rf $(BIN)/demo-short && $(BIN)/sweep --dir $(BIN)/demo-short run recipes/demo-short.yaml

.PHONY: test
test: test-unit test-server ## Run all tests but the slow ones

.PHONY: test-unit
test-unit: ## Run the tests that need no server: seconds
	$(GO) test $(UNIT_PACKAGES)

.PHONY: test-server
test-server: ## Run the tests that start the embedded server and real commands
	$(GO) test $(SERVER_PACKAGES)

.PHONY: test-race
test-race: ## Run all tests under the race detector (builds the server once more)
	$(GO) test -race ./...

.PHONY: test-race-unit
test-race-unit: ## Run the tests that need no server under the race detector
	$(GO) test -race $(UNIT_PACKAGES)

.PHONY: test-faults
test-faults: ## Kill a sweep over and over and compare what comes out: minutes
	$(GO) test -tags faults -count 1 -timeout 30m ./internal/faults/...

# Servers of tests, built from their modules: Nomad takes six minutes once.
CLUSTER_BIN := $(BIN)/nomad $(BIN)/plugins/fakegpu $(BIN)/versitygw $(BIN)/temporalserver

# Packages with tests on real servers (build tag cluster).
CLUSTER_PACKAGES := ./internal/testcluster/... ./activities/nomad/... ./storage/s3/... ./cmd/trainer/... ./internal/faults/... ./bench/cluster/...

.PHONY: test-cluster
test-cluster: build $(CLUSTER_BIN) ## Run the tests on a real Nomad and a real S3 server: minutes
	$(GO) test -tags cluster -count 1 -p 1 -timeout 30m $(CLUSTER_PACKAGES)

.PHONY: cluster-bin
cluster-bin: $(CLUSTER_BIN) ## Build the servers of test-cluster (Nomad takes six minutes once)

$(BIN)/nomad: tools/nomad/go.mod tools/nomad/go.sum
	$(GO) -C tools/nomad build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/hashicorp/nomad

.PHONY: $(BIN)/temporalserver
$(BIN)/temporalserver:
	$(GO) build -o $@ ./internal/testcluster/temporalserver

$(BIN)/plugins/fakegpu: tools/nomad/go.mod tools/nomad/go.sum $(wildcard tools/nomad/fakegpu/*.go)
	$(GO) -C tools/nomad build -ldflags "-s -w" -o $(CURDIR)/$@ ./fakegpu

.PHONY: recipes-quick
recipes-quick: ## Train a small form of every recipe and check its claim: minutes
	$(GO) test -tags recipes -count 1 -timeout 30m -run TestRecipesQuick -v ./internal/recipes

.PHONY: cover
cover: ## Test coverage of the domain, which has to be above 90%
	@mkdir -p $(BIN)
	$(GO) test -coverpkg ./sweeps/... -coverprofile $(BIN)/cover.out ./sweeps/...
	@$(GO) tool cover -func $(BIN)/cover.out | awk 'END {print "coverage of sweeps/: " $$3; exit $$3 + 0 <= 90}'

.PHONY: lint
lint: $(BIN)/golangci-lint ## Check format, style and module files
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "run gofmt on:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) mod tidy -diff
	$(BIN)/golangci-lint run ./...

$(BIN)/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	$(GO) -C tools/lint build -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/versitygw: tools/s3/go.mod tools/s3/go.sum
	$(GO) -C tools/s3 build -o $(CURDIR)/$@ github.com/versity/versitygw/cmd/versitygw

.PHONY: bench
bench: build ## Measure the engine: trials a second, start-up, memory
	$(GO) run ./bench/startup -sweep $(BIN)/sweep
	$(GO) run ./bench/engine

.PHONY: bin-trainer
bin-trainer:
	CGO_ENABLED=0 $(GO) build -ldflags "$(LDFLAGS)" -o $(BIN)/ ./cmd/trainer

.PHONY: bench-trainer
bench-trainer: bin-trainer ## Measure the trainer against PyTorch, which it installs: 8 minutes
	$(GO) run ./bench/trainer -trainer $(BIN)/trainer

.PHONY: bench-agreement
bench-agreement: bin-trainer ## Check that the trainer and PyTorch compute the same: a minute
	$(GO) run ./bench/agreement -trainer $(BIN)/trainer

.PHONY: bench-cluster
bench-cluster: build $(CLUSTER_BIN) ## Measure sweeps on a cluster: 1,000 trials, 2,000 watched: 10 minutes
	$(GO) run ./bench/cluster -bin $(BIN)

.PHONY: generate
generate: ## Regenerate what is generated (docs/spec.schema.json)
	$(GO) generate ./...

.PHONY: clean
clean: ## Remove binaries; sweeps and their store under .tenfold stay
	rm -rf $(BIN)
