"""The use cases of packages: collect, build, approve, release, fetch."""
