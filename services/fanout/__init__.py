"""The fanout: holds the SSE connections and sends each event to those it is for."""
