"""What a running master offers on its socket, and its clients."""
