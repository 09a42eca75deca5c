# `make rehearse` and `make test` need Go, make and git, and set up everything else themselves.
STACK ?= staging

CONTROL_PLANE := kube-apiserver kube-controller-manager kube-scheduler kubectl etcd kwok
TOOLCHAIN := $(addprefix .bin/,pulumi $(CONTROL_PLANE))
REHEARSAL := tests/rehearsal

.DEFAULT_GOAL := help
.PHONY: help rehearse sandbox test lint bench toolchain clean FORCE

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

rehearse: .bin/rehearse toolchain ## Run the program of STACK on this machine, at no cost (RESUME=1: go on from the last time)
	@.bin/rehearse -stack $(STACK) $(if $(RESUME),-resume)

sandbox: .bin/rehearse toolchain ## The same, and keep everything running for kubectl, linode-cli, the Fastly and Pulumi CLIs
	@.bin/rehearse -stack $(STACK) $(if $(RESUME),-resume) -sandbox

test: toolchain ## Run all tests
	go vet ./... && go test ./...
	cd $(REHEARSAL) && go vet ./... && go test ./...

lint: .bin/golangci-lint ## Check format and style
	.bin/golangci-lint run ./...
	cd $(REHEARSAL) && ../../.bin/golangci-lint run --config ../../.golangci.yml ./...

bench: toolchain ## Measure what is promised about speed and size
	cd $(REHEARSAL) && go test -run '^$$' -bench . -benchtime 1x ./...

clean: ## Remove everything that was built or rehearsed
	rm -rf .bin .rehearsal

toolchain: $(TOOLCHAIN)

.bin/pulumi: tools/install tools/pulumi/go.mod
$(addprefix .bin/,$(CONTROL_PLANE)): tools/install tools/kubernetes/go.mod
.bin/golangci-lint: tools/install tools/lint/go.mod
$(TOOLCHAIN) .bin/golangci-lint:
	@tools/install $(@F)

# Go knows best what has changed.
.bin/rehearse: FORCE
	@echo "building the rehearsal (the first time takes minutes)"
	@go build -C $(REHEARSAL) -o ../../.bin/rehearse .
