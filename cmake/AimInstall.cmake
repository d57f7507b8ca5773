# Install rules and the package that find_package(aim) reads.
