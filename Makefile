# The two commands of the README. `make run FOLDER=~/Documents` also imports a folder.
.PHONY: run test

run:
	tests/install build
	cargo run --release -- serve $(if $(FOLDER),--import "$(FOLDER)")

test:
	tests/run
