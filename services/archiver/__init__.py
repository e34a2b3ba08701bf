"""The archiver: writes the journal to an object store, where nothing is trimmed."""
