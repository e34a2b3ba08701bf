"""The archive: all events of a namespace in an object store, as files that other tools can read.

An archive consists of segments. A segment is a Parquet file with a range of journal entries, a
topic index (a second Parquet file) and a manifest (JSON). The manifests together are the catalog.

Import these modules only if ARCHIVE_URL is set: pyarrow and obstore need 80 MB. Only `settings`,
`errors` and `mark` are always cheap.

See docs/decisions/0119-the-chain-runs-over-entries.md,
docs/decisions/0120-segments-are-parquet.md.
"""
