"""The documentation as a site: what `make docs` needs in addition to the pages."""
