"""The fanout holds SSE connections and sends each event to the subscribers it is for."""
