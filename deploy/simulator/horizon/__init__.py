"""A simulated Horizon: documents, pages, problems and the transaction stream."""
