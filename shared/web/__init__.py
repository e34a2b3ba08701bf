"""HTTP for servers and clients: problems, CORS, probes, the server, and client sessions."""
