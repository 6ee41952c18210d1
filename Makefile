# `make` alone lists what there is. Recipes are short on purpose: what needs more is a program or a test.

MODULES  := pkg schemas simulator services lab
FUZZTIME ?= 10s
CHECKS   ?= 5000
KILLS    ?= 500
FUZZ     ?= 1000000
AGENTS   ?= 100
SEEDS    ?= 1 2 3

# Stamp the binary with its commit, except where git is missing or does not trust the folder: go build would fail there.
VCS := $(shell git log -1 >/dev/null 2>&1 && echo auto || echo false)

# The newest nfpm whose modules all come from hosts that every module proxy passes on.
NFPM := v2.45.2

.PHONY: help run build deps test check vet lint format tidy alone arm house fuzz soak shake bench eval interop torture lab-pr lab-night small reconnect failover dist compose packaging clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build, then start everything in one process, with demo devices.
	bin/weir up

build: ## Build the one binary, bin/weir.
	go build -buildvcs=$(VCS) -o bin/weir ./services/cmd/weir

deps: ## Install the Debian packages that the tests need, or name them and fail.
	@.ci/deps

# A change is judged by its own faults: here properties play the same cases each time, in soak new ones.
test shake: export RAPID_SEED ?= 1
test: deps ## Run all tests of all modules.
	go test $$(go list work | grep -v ^weir/lab)
	go test -count=1 $$(go list work | grep ^weir/lab) # they test the built binary: a cached pass would miss its changes

check: vet lint format tidy alone arm house ## Vet, staticcheck, formatting, every module by itself, for 32-bit ARM, conventions.

vet:
	go vet work

lint: bin/staticcheck
	bin/staticcheck work

format: bin/gofumpt
	@files=$$(bin/gofumpt -l $(MODULES)) && test -z "$$files" || { echo "not formatted:" $$files "(bin/gofumpt -w FILE mends it)"; exit 1; }

tidy: # siblings are joined by require and replace, so that this works without the workspace
	@for m in $(MODULES) lab/tools; do echo "tidy $$m"; GOWORK=off go -C $$m mod tidy -diff || exit 1; done

alone: # every go.mod is honest by itself
	@for m in $(MODULES); do echo "GOWORK=off build $$m"; GOWORK=off go -C $$m build -o /dev/null ./... || exit 1; done

arm: # the smallest edge has words of 32 bits
	GOOS=linux GOARCH=arm GOARM=7 CGO_ENABLED=0 go build -o /dev/null ./services/cmd/weir

house: # a cached pass would miss what changed in other modules, hence -count=1
	go test -count=1 ./lab/house

bin/staticcheck bin/gofumpt &: lab/tools/go.mod lab/tools/go.sum
	GOWORK=off go build -C lab/tools -o ../../bin/ tool

fuzz: ## Run each fuzz target for FUZZTIME=10s.
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' $(MODULES) | sed -E 's|^(.*)/[^/]*:func |\1 |' | sort | \
	while read -r dir target; do echo "$$dir $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$$dir" || exit 1; done

soak: ## Try each property with CHECKS=5000 new cases.
	go test -count=1 -timeout 0 $$(grep -rl --include='*_test.go' 'pgregory.net/rapid"' $(MODULES) | xargs -n1 dirname | sort -u | sed 's|^|./|') -rapid.checks=$(CHECKS)

shake: export RAPID_CHECKS ?= 10
shake: ## Test services and simulator while their goroutines pause by chance, once with each of SEEDS="1 2 3".
	for seed in $(SEEDS); do SHAKE_SEED=$$seed go run ./lab/shake test -count=1 -timeout 30m ./services/... ./simulator/... || exit 1; done

bench: build ## Measure each stage and whole runs; print one table.
	go run ./lab/bench -weir bin/weir

eval: build ## Judge every detector: benchmark, false findings, injected faults, causality, cost; print one page.
	go run ./lab/eval -weir bin/weir

interop: build bin/prometheus bin/telemetrygen bin/collector ## Compare Weir with Prometheus 2 and 3, telemetrygen and a collector, while receivers fail.
	go test -count=1 ./lab/interop -weir $(CURDIR)/bin/weir -prometheus $(CURDIR)/bin/prometheus -telemetrygen $(CURDIR)/bin/telemetrygen -collector $(CURDIR)/bin/collector

bin/prometheus: lab/peers/prometheus/go.mod lab/peers/prometheus/go.sum
	GOWORK=off go build -C lab/peers/prometheus -tags remove_all_sd -o ../../../bin/prometheus github.com/prometheus/prometheus/cmd/prometheus

bin/telemetrygen: lab/peers/telemetrygen/go.mod lab/peers/telemetrygen/go.sum
	GOWORK=off go build -C lab/peers/telemetrygen -o ../../../bin/telemetrygen github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen

bin/collector: lab/peers/collector/go.mod lab/peers/collector/go.sum lab/peers/collector/main.go
	GOWORK=off go build -C lab/peers/collector -o ../../../bin/collector .

torture: build ## Kill -9 under load KILLS=500 times and mix in FUZZ=1000000 bad messages, then verify.
	go test -count=1 -timeout 0 ./lab/torture -kills $(KILLS) -fuzz-messages $(FUZZ)

lab-pr: build ## Break a running fleet as the quick scenarios say, and plant the bugs that are caught soon.
	go run ./lab/faults run -weir bin/weir -set pr -seed 1 -parallel 3
	go run ./lab/faults planted -fast -control=false -parallel 3

lab-night: failover soak ## All scenarios, a day at 60 times the speed, and all planted bugs: hours; needs root.
	go run ./lab/faults run -set night
	go run ./lab/faults planted

small: build ## What an agent costs, and ten times its load within half a core and 128 MB.
	go run ./lab/faults run -weir bin/weir lab/faults/scenarios/small.yaml lab/faults/scenarios/tight.yaml

reconnect: build ## AGENTS=100 agents lose their links five times and come back at once: live windows must not wait.
	go run ./lab/faults run -weir bin/weir -agents $(AGENTS) lab/faults/scenarios/reconnect.yaml

failover: build ## Kill and pause gateways and servers of a region on a cluster of three NATS servers.
	go test -count=1 -v ./lab/e2e -weir $(CURDIR)/bin/weir -run Failover -cluster

dist: bin/nfpm ## Build static binaries and .deb packages for amd64, arm64 and armv7 into dist.
	deploy/dist

compose: ## Start a fleet in containers: a center, two regions, three agents, simulated devices.
	deploy/image $$(go env GOARCH | sed 's/^arm$$/armv7/')
	deploy/compose/secrets.sh
	docker-compose -f deploy/compose/docker-compose.yml up -d --build

packaging: bin/nfpm ## Test packages, units and containers; needs root and skips what the machine cannot do.
	go test -count=1 -timeout 30m -v ./lab/packaging -all

bin/nfpm: Makefile
	GOBIN=$(CURDIR)/bin go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM)

clean: ## Remove what make built.
	rm -rf bin dist
