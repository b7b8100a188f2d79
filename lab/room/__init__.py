"""Where chat sessions are played and recorded."""
