# The two commands of the README.
#   make run FOLDER=~/Documents            also imports a folder
#   make run ARGS="--listen 0.0.0.0:8443 --tls self"   passes flags on to `firefly serve`
SHELL := /bin/bash
# Where tests/install puts a Node.js of its own, and where rustup puts cargo before a new login knows it.
export PATH := $(CURDIR)/target/tools/bin:$(PATH):$(HOME)/.cargo/bin
.PHONY: run test

run:
	@tests/install build
	@folder="$${FOLDER/#\~\//$$HOME/}"; exec cargo run --release -- serve $${folder:+--import "$$folder"} $(ARGS)

test:
	@tests/run
