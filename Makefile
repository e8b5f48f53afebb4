# What people run here. Each target is one line of shell or a script; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo demo-stop demo-clean packages build release fmt lint check unit test test-vm bench bench-quick install uninstall

CARGO  ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
BINARIES = -p daemon -p keeper -p cli
# Targets that call cargo directly find it also below sudo, which forgets the user's PATH.
WITH_CARGO = . scripts/rust-path.sh &&

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: ## A running Debian 12 container on this machine (IMAGE=busybox: a tiny one)
	@IMAGE=$(IMAGE) scripts/demo.sh

demo-stop: ## Stop the demo's containers and daemon; keep its data
	@scripts/demo-stop.sh

demo-clean: ## Stop the demo and remove what it made
	@scripts/demo-stop.sh --clean

packages: ## Install the distribution packages to build, run and test
	@scripts/packages.sh build run test image-debian image-busybox

build: ## Debug build of everything
	@$(WITH_CARGO) $(CARGO) build --workspace --locked

release: ## Release build of lxd, lxd-keeper and lxc
	@scripts/build-release.sh

fmt: ## Format the sources
	@$(WITH_CARGO) $(CARGO) fmt --all

lint: ## Format, lints, borders between crates, licences
	@$(WITH_CARGO) $(CARGO) fmt --all --check
	@$(WITH_CARGO) $(CARGO) clippy --workspace --all-targets --locked --quiet -- -D warnings
	@$(WITH_CARGO) $(CARGO) run --quiet --locked -p xtask -- borders
	@$(WITH_CARGO) $(CARGO) run --quiet --locked -p xtask -- licences

check: lint unit ## Before every commit: lint and the tests beside the code

unit: ## The tests beside the code
	@$(WITH_CARGO) $(CARGO) run --quiet --locked -p xtask -- test --unit

test: ## Everything: unit, namespaced and end to end, with totals
	@scripts/packages.sh build run test image-busybox
	@$(WITH_CARGO) $(CARGO) build --locked $(BINARIES)
	@scripts/test-images.sh
	@rootfs="$${XDG_CACHE_HOME:-$$HOME/.cache}/lightervisor/debian-12.rootfs"; \
	    if [ -d "$$rootfs" ]; then export LIGHTERVISOR_TEST_ROOTFS="$$rootfs"; fi; \
	    $(WITH_CARGO) $(CARGO) run --quiet --locked -p xtask -- test

test-vm: ## Storage drivers in a virtual machine with ZFS and LVM (ONLY="zfs": these; ceph only when named)
	@scripts/vm/test.sh $(ONLY)

bench: release ## Measure against Debian's packaged lxd 5.0.2, interleaved (about 15 minutes)
	@bench/run

bench-quick: release ## The same with few rounds (about 3 minutes)
	@bench/run --quick

install: release ## Install programs, unit files and completions (PREFIX, DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin
	install -m 755 target/release/lxc $(DESTDIR)$(PREFIX)/bin/lxc
	install -m 755 target/release/lxd $(DESTDIR)$(PREFIX)/sbin/lxd
	install -m 755 target/release/lxd-keeper $(DESTDIR)$(PREFIX)/sbin/lxd-keeper
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	target/release/lxc completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lxc
	target/release/lxc completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_lxc
	target/release/lxc completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/lxc.fish
	install -d $(DESTDIR)/etc/systemd/system
	for u in contrib/systemd/*.service contrib/systemd/*.socket; do \
	    sed 's#/usr/local/#$(PREFIX)/#g' $$u > $(DESTDIR)/etc/systemd/system/$${u##*/}; done
	@echo "Now: groupadd --system --force lxd; systemctl daemon-reload; systemctl enable --now lxd.socket; lxd init"

uninstall: ## Remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/lxc $(DESTDIR)$(PREFIX)/sbin/lxd $(DESTDIR)$(PREFIX)/sbin/lxd-keeper
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lxc $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_lxc \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/lxc.fish
	rm -f $(addprefix $(DESTDIR)/etc/systemd/system/,$(notdir $(wildcard contrib/systemd/*)))
