"""The fanout holds SSE connections and sends each event to the clients that subscribed to it."""
