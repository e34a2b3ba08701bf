"""Reading: the journal's new events once for all endpoints, and the history of one endpoint."""
